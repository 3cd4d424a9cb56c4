"""Every command, alias, argument and option that the official command knows, as one JSON object by path."""

import argparse
import json

from fal.cli.main import _get_main_parser


def visit(parser, path, found):
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    options, arguments = {}, []
    for action in parser._actions:
        if isinstance(action, (argparse._HelpAction, argparse._VersionAction, argparse._SubParsersAction)):
            continue
        facts = {
            "choices": sorted(map(str, action.choices)) if action.choices else None,
            "takesValue": action.nargs != 0,
            "variadic": action.nargs in ("+", "*", "A..."),
        }
        if action.option_strings:
            options[" ".join(action.option_strings)] = facts
        else:
            arguments.append({"name": action.metavar or action.dest, "required": action.nargs not in ("?", "*"), **facts})
    found[" ".join(path)] = {"options": options, "arguments": arguments}
    for group in groups:
        names = {}
        for name, child in group.choices.items():
            names.setdefault(id(child), []).append(name)
        for name, *aliases in names.values():
            visit(group.choices[name], [*path, name], found)
            found[" ".join([*path, name])]["aliases"] = aliases


words = {}
visit(_get_main_parser(), [], words)
print(json.dumps(words))
