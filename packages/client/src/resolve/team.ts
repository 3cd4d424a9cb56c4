import { ConfigurationError } from '../errors/client-error.ts';
import type { HttpClient } from '../transport/http-client.ts';
import { readJson } from '../transport/http-client.ts';
import { parseTeams } from '../records/account.ts';
import type { Settings } from './settings.ts';

/**
 * The user id a login acts for, or `undefined` for the account itself. Looked up once, by nickname, when a team is set.
 * With a key the team has no effect: a key belongs to one account.
 * @throws ConfigurationError `unknown_team`, naming those there are.
 */
export function createTeamLookup(settings: Settings, http: () => HttpClient): () => Promise<string | undefined> {
  let known: Promise<string | undefined> | undefined;
  const lookUp = async (nickname: string): Promise<string> => {
    const url = `${settings.hosts().accountUrl}/users/teams`;
    const teams = parseTeams(await readJson(await http().sendAsUser(url), url));
    const team = teams.find((candidate) => candidate.nickname.toLowerCase() === nickname.toLowerCase());
    if (team) return team.userId;
    throw new ConfigurationError(
      'unknown_team',
      `This login is not in a team "${nickname}"; it has ${teams.map((each) => each.nickname).join(', ')}.`,
      {
        advice: 'Choose one of these, or unset the team.',
        details: { candidates: teams.map((each) => each.nickname) },
      },
    );
  };
  return async () => {
    if ((await settings.signing()).kind !== 'login') return undefined;
    const team = settings.team();
    if (team === undefined) return undefined;
    known ??= lookUp(team);
    known.catch(() => (known = undefined));
    return known;
  };
}
