"""The load of the chaos campaign: submits with fal_client until told to stop, then fetches every acknowledged result.

Arguments: how many submitters, seed. Standard input: a line ends the submits, another one begins the fetching.
Standard output: `ack ID NUMBER`, `refused N` when all submits are over, then `result ID NUMBER OK|WRONG|LOST detail`.
"""

import asyncio
import json
import random
import sys
import threading

import fal_client

APP = "acme/chaos"
submitters, seed = int(sys.argv[1]), int(sys.argv[2])
stop = threading.Event()
counter = iter(range(1, 10**9))
refused = 0


def say(text):
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


async def submit(client, dice, acknowledged):
    global refused
    while not stop.is_set():
        number = next(counter)
        arguments = {
            "number": number,
            "seconds": dice.choice([0, 0.01, 0.05, 0.3]),
            "padding": dice.choice([0, 100, 100, 200_000]),
        }
        if dice.random() < 0.1:
            arguments["input"] = "y" * 100_000
        try:
            handle = await client.submit(APP, arguments=arguments, priority=dice.choice(["normal", "low"]))
        except Exception:
            # Nobody said that it was taken.
            refused += 1
            await asyncio.sleep(0.05)
            continue
        acknowledged.append((handle.request_id, number))
        say(f"ack {handle.request_id} {number}")
        await asyncio.sleep(dice.random() * 0.1)


async def fetch(client, request_id, number):
    for attempt in range(40):
        try:
            result = await asyncio.wait_for(client.result(APP, request_id), 120)
        except fal_client.FalClientHTTPError as error:
            return say(f"result {request_id} {number} LOST {error.status_code} {json.dumps(str(error)[:200])}")
        except Exception as error:
            if attempt == 39:
                return say(f"result {request_id} {number} LOST {type(error).__name__}")
            await asyncio.sleep(0.5)
            continue
        right = result["number"] == number and result["square"] == number * number
        return say(f"result {request_id} {number} {'OK' if right else 'WRONG'} {json.dumps(result)[:100]}")


async def main():
    client = fal_client.AsyncClient()
    acknowledged = []
    loop = asyncio.get_running_loop()
    loop.run_in_executor(None, lambda: (sys.stdin.readline(), stop.set()))
    await asyncio.gather(*(submit(client, random.Random(seed * 1000 + n), acknowledged) for n in range(submitters)))
    say(f"refused {refused}")
    await loop.run_in_executor(None, sys.stdin.readline)
    gate = asyncio.Semaphore(16)

    async def gated(request_id, number):
        async with gate:
            await fetch(client, request_id, number)

    await asyncio.gather(*(gated(*each) for each in acknowledged))


asyncio.run(main())
