import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startPlatform, type Platform } from './platform.ts';

/** Puts the module of functions in reach of a script. */
const preamble = `
import sys, json
sys.path.insert(0, "test/system/apps")
import called_functions as f
from fal.api import FalServerlessError
def raised(function, *arguments):
    try:
        function(*arguments)
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")
`;

describe('functions called from Python code', () => {
  let platform: Platform;
  before(async () => {
    platform = await startPlatform();
  });
  after(() => platform.stop());

  const python = async (script: string): Promise<string> => {
    const { code, stdout, stderr } = await platform.python(preamble + script, { timeoutMs: 240_000 });
    assert.equal(code, 0, stdout + stderr);
    return stdout;
  };

  it('take arguments by position and name, also the results of other calls', async () => {
    await python('assert f.add(f.add(1), b=f.add(2, 3)) == 7');
  });

  it('run at the same time from one process', async () => {
    await python(`
futures = [f.waits.submit(n) for n in range(3)]
results = [future.result() for future in futures]
assert [number for number, _ in results] == [0, 1, 2], results
starts = [started for _, started in results]
assert max(starts) - min(starts) < 1, starts
`);
  });

  it('raise the very exception class of the client, with its causes', async () => {
    await python(`
error = raised(f.raises_chain)
assert type(error) is RuntimeError and error.args == ("outer",), repr(error)
assert type(error.__cause__) is f.Custom and error.__cause__.number == 2, repr(error.__cause__)
assert type(error.__cause__.__cause__) is KeyError
`);
  });

  it('raise what the setup function raised', async () => {
    await python(`
error = raised(f.with_bad_setup)
assert type(error) is f.Custom and error.number == 3, repr(error)
`);
  });

  it('take a setup result that cannot be pickled', async () => {
    await python('assert f.with_unpicklable_setup(4, b=5) == ["generator", 4, 5]');
  });

  it('say which module is missing', async () => {
    await python(`
error = raised(f.imports_what_is_missing)
assert isinstance(error, ModuleNotFoundError) and error.name == "numpy_not_there", repr(error)
error = raised(f.calls_another)
assert "Could not find module 'fal'" in str(error), repr(error)
error = raised(f.result_of_a_module_of_its_own)
assert "only_here" in str(error), repr(error)
`);
  });

  it('say so when a result cannot be pickled', async () => {
    await python(`
error = raised(f.returns_generator)
assert isinstance(error, FalServerlessError), repr(error)
assert "Error while serializing the execution result (object of type <class 'generator'>)" in str(error), error
`);
  });

  it('may be coroutines', async () => {
    await python('assert f.returns_coroutine() == 5');
  });

  it('exchange pydantic models of the client', async () => {
    await python('assert f.round_trip(f.Model(x=1, inner={"a": [1, 2]})) == f.Model(x=2, inner={"a": [1, 2]})');
  });

  it("are told apart from the client's shell when they are killed, and the next call works", async () => {
    await python(`
error = raised(f.sigkill)
assert "Isolated function crashed. This is likely due to resource overflow" in str(error), repr(error)
assert f.add(1) == 2
`);
  });

  it('see the platform in their environment', async () => {
    const seen = JSON.parse(await python('print(json.dumps(f.environment()))')) as Record<string, string>;
    assert.equal(seen['FAL_HOST'], platform.variables['FAL_GRPC_HOST']);
    assert.equal(seen['FAL_KEY'], `${seen['FAL_KEY_ID']}:${seen['FAL_KEY_SECRET']}`);
    assert.ok(seen['FAL_KEY_ID'] && seen['FAL_KEY_SECRET']);
    assert.notEqual(seen['FAL_KEY'], platform.variables['FAL_KEY'], 'the key is its own');
    assert.match(seen['FAL_APP_NAME'] ?? '', /^acme\/environment/);
    assert.equal(seen['IS_ISOLATE_AGENT'], '1');
    assert.equal(seen['FAL_USE_LOCAL_UPLOADER'], undefined);
  });

  it('run on another machine type, or on the default image', async () => {
    await python(`
import socket
names = {f.host(), f.host.on(machine_type="XL")(), socket.gethostname()}
assert len(names) == 3, names
assert f.in_container() == 1 and f.in_container(2) == 2
assert f.served.on(serve=False)(3, b=3) == 9
`);
  });

  it('return 8 MiB intact', async () => {
    await python('assert f.bytes_of(8 * 1024 * 1024) == b"y" * 8 * 1024 * 1024');
  });

  it('refuse a machine type that does not exist', async () => {
    await python(`
error = raised(f.add.on(machine_type="GPU-9000"), 1)
assert "GPU-9000" in str(error), repr(error)
`);
  });
});
