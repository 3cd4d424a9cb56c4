"""The app behind the gateway: plain FastAPI, the least an app can do."""

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

app = FastAPI()


class Input(BaseModel):
    prompt: str


@app.post("/")
async def root(input: Input) -> dict[str, str]:
    return {"echo": input.prompt}


@app.get("/bytes/{count}")
async def send_bytes(count: int) -> StreamingResponse:
    chunk = bytes(1 << 20)

    async def body():
        left = count
        while left > 0:
            yield chunk[:left]
            left -= len(chunk)

    return StreamingResponse(body(), media_type="application/octet-stream", headers={"content-length": str(count)})
