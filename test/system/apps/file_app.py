import os
from typing import Optional

import fal
from fal.toolkit import File, Image, download_file
from fal.toolkit.image import read_image_from_url
from fal.toolkit.kv import KVStore
from pydantic import BaseModel


class Opened(BaseModel):
    image_url: str


class Wanted(BaseModel):
    repository: str
    size: int = 10


class Place(BaseModel):
    name: str
    text: Optional[str] = None


class FileApp(fal.App):
    machine_type = "S"
    keep_alive = 300
    requirements = ["pillow"]

    @fal.endpoint("/open")
    def open(self, opened: Opened) -> dict:
        path = download_file(opened.image_url, "/data/downloads", force=True)
        image = read_image_from_url(opened.image_url)
        return {"name": path.name, "bytes": path.stat().st_size, "size": list(image.size)}

    @fal.endpoint("/refused")
    def refused(self, opened: Opened) -> dict:
        try:
            download_file(opened.image_url, "/tmp", force=True)
        except Exception as error:
            return {"refused": repr(error)}
        return {"refused": None}

    @fal.endpoint("/make")
    def make(self, wanted: Wanted) -> File:
        return File.from_bytes(b"x" * wanted.size, content_type="text/plain", file_name="made.txt", repository=wanted.repository)

    @fal.endpoint("/draw")
    def draw(self) -> Image:
        import PIL.Image

        return Image.from_pil(PIL.Image.new("RGB", (5, 7), "red"), format="png")

    @fal.endpoint("/reserved")
    def reserved(self) -> dict:
        file = File.reserve(content_type="text/plain", file_name="late.txt")
        url = file.url
        file.complete(b"late")
        return {"url": url}

    @fal.endpoint("/remember")
    def remember(self, place: Place) -> dict:
        store = KVStore("test")
        if place.text is not None:
            store.set(place.name, place.text, ttl=60)
        value = store.get(place.name)
        store.delete(place.name)
        return {"value": value, "after": store.get(place.name)}

    @fal.endpoint("/volume")
    def volume(self, place: Place) -> dict:
        path = "/data/" + place.name
        with open(path) as file:
            text = file.read()
        with open(path, "a") as file:
            file.write("more")
        os.makedirs("/data/made", exist_ok=True)
        with open("/data/made/out.txt", "w") as file:
            file.write("by the runner")
        os.symlink("/etc/passwd", "/data/made/link")
        return {"text": text}
