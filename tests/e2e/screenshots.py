"""Pictures of the ten main screens, out of the demo world: real Chromium, a demo of its own, invented data only. `make screenshots`

usage: python -m tests.e2e.screenshots [FOLDER] [--demo FILE] [--sizes 1280x800,...] [--themes light,dark]

FOLDER is docs/images. `--demo .mdm/demo.json` takes the pictures of a demo that runs, and leaves what it did there; sizes and themes
beside the usual are for looking at a change of the pages.
"""

import argparse
import csv
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO, StringIO
from pathlib import Path
from random import Random
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from seed.world import World, build_world
from tests.ports import free_port

ROOT = Path(__file__).parents[2]
READY_SECONDS = 900
BYTES_MAX = 80_000
COLOURS = (256, 128, 96, 64, 48)
# What of a text is cut off by its own box and not given an ellipsis
CLIPPED = """() => [...document.querySelectorAll('main *, header *')].filter(e => {
  const box = getComputedStyle(e), text = [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())
  return text && !e.closest('.hidden') && e.checkVisibility() && e.clientWidth > 1 && !['visible', 'auto', 'scroll'].includes(box.overflowX)
    && box.textOverflow !== 'ellipsis' && e.scrollWidth > e.clientWidth + 1
}).map(e => e.tagName + ' ' + e.className + ': ' + e.textContent.trim().slice(0, 60))"""
FORM = "async ([url, body]) => (await fetch(url, {method: 'POST', body: new URLSearchParams(body)})).url"


@dataclass(frozen=True)
class Demo:
    """A demo that answers: where, its key, its people by role."""

    url: str
    key: str
    people: dict[str, dict[str, str]]

    def ask(self, path: str, body: object = None) -> Any:
        """What the API answers to a question, asked as an integration flow."""
        sent = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        with urllib.request.urlopen(urllib.request.Request(self.url + path, sent, headers)) as answer:
            return json.load(answer)


def read_demo(file: Path) -> Demo:
    said = json.loads(file.read_text())
    return Demo(said["url"], said["api_key"], {user["role"]: user for user in said["users"]})


@contextmanager
def own_demo() -> Iterator[Demo]:
    """`mdm demo` in a folder of its own, ended afterwards."""
    with tempfile.TemporaryDirectory() as home:
        environ = os.environ | {"MDM_HOME": home, "MDM_PORT": str(free_port())}
        started = subprocess.Popen([sys.executable, "-m", "mdm.cli", "demo"], env=environ, cwd=ROOT)
        try:
            deadline = time.monotonic() + READY_SECONDS
            while not (file := Path(home) / "demo.json").exists():
                assert started.poll() is None, "the demo ended"
                assert time.monotonic() < deadline, "the demo did not become ready"
                time.sleep(1)
            yield read_demo(file)
        finally:
            started.terminate()
            started.wait(60)


class Visitor:
    """Browsers of the demo's people, one each per size and theme."""

    def __init__(self, browser: Browser, demo: Demo, size: tuple[int, int], theme: str) -> None:
        self.demo = demo
        self._browser, self._size, self._theme = browser, size, theme
        self._pages: dict[str, Page] = {}

    def __call__(self, role: str) -> Page:
        if role not in self._pages:
            width, height = self._size
            context = self._browser.new_context(
                base_url=self.demo.url, viewport={"width": width, "height": height}, color_scheme=self._theme
            )
            self._pages[role] = context.new_page()
            sign_in(self._pages[role], self.demo.people[role])
        return self._pages[role]


def sign_in(page: Page, user: dict[str, str]) -> None:
    page.goto("/sign-in")
    page.fill("#name", user["name"])
    page.fill("#password", user["password"])
    page.click("button.main")
    page.wait_for_selector("text=Home")


def prepare(visit: Visitor, world: World) -> None:
    """What a morning leaves: some decisions, codes that nobody knows, a file with its plan. Once per demo."""
    admin = visit("admin")
    admin.goto("/loads")
    if "suppliers of mercy" in (admin.text_content("main") or ""):
        return
    ask_in_vain(visit.demo, world)
    plan_a_file(admin, world)
    decide_some(visit("steward"))


def ask_in_vain(demo: Demo, world: World) -> None:
    """Mercy's flows ask for Northfield's departments by numbers that Mercy never delivered; some more often than others."""
    chance = Random(7)
    keys = [each.key for each in world.deliveries if (each.domain, each.system) == ("department", "ehr-north")][:40]
    for place, key in enumerate(keys):
        values = [f"M{key}"] * (1 + int(600 * chance.random() / (1 + place / 4)))
        demo.ask("/v1/crosswalk/translate", {"domain": "department", "from": "ehr-mercy", "to": "erp-north", "values": values})


def plan_a_file(page: Page, world: World) -> None:
    page.goto("/loads/new")
    page.select_option("#domain", "supplier")
    page.select_option("#system", "erp-mercy")
    page.set_input_files("#file", {"name": "suppliers of mercy.csv", "mimeType": "text/csv", "buffer": mercy_file(world).encode()})
    page.click("button.main:visible")
    page.wait_for_url("**/upload")
    at = page.url.removesuffix("/upload")
    page.goto(f"{at}/columns")
    for place, target in enumerate(("key", "name", "address_line", "city", "state", "postal_code", "phone", "site_role")):
        page.select_option(f"#target-{place}", target)
    page.click("button[value=save]")
    page.click("button.main:visible")
    page.wait_for_selector(".outcomes", timeout=120_000)


def mercy_file(world: World) -> str:
    """What Northfield knows of its suppliers as Mercy would have it: abbreviated, now and then without a town or a name, some new."""
    chance, out = Random(11), StringIO()
    written = csv.writer(out)
    written.writerow(("VENDOR_NO", "VENDOR_NM", "STREET", "CITY", "ST", "ZIP", "PHONE", "ROLE"))
    known = [each for each in world.deliveries if (each.domain, each.system) == ("supplier", "erp-north")]
    for number, each in enumerate(known):
        told = {name: value[0] if isinstance(value, list | tuple) else value for name, value in each.attributes.items()}
        name = "" if chance.random() < 0.01 else str(told.get("name", ""))
        if chance.random() < 0.2:
            name = f"{name.split()[0] if name else ''} {chance.choice(('Holdings', 'Medical Group', 'Partners', 'West'))} {number}"
        place = ("address_line", "city", "state", "postal_code", "phone", "site_role")
        rest = ["" if chance.random() < 0.3 else told.get(field, "") for field in place]
        written.writerow((f"{700_000 + number}", name.upper() if chance.random() < 0.4 else name, *rest))
    return out.getvalue()


def decide_some(page: Page) -> None:
    """Nine tasks by keys; where a key is not enough the task is passed over."""
    page.goto("/tasks?domain=provider")
    page.keyboard.press("Enter")
    for key in "mmnmmnmmm":
        page.wait_for_selector("#item h1")
        page.wait_for_timeout(900)
        page.keyboard.press(key)
        page.wait_for_timeout(500)


def golden_of(demo: Demo, world: World, domain: str, most: int) -> str:
    """The golden record of the entity of this domain that most systems hold, at most so often."""
    held = Counter(entity for (each, _, _), entity in world.truth.items() if each == domain)
    entity = next(entity for entity, times in held.most_common() if times <= most)
    system, key = next((system, key) for (each, system, key), of in sorted(world.truth.items()) if (each, of) == (domain, entity))
    plural = {"supplier": "suppliers", "department": "departments", "item": "items"}[domain]
    return str(demo.ask(f"/v1/{plural}/sources/{system}/{key}")["golden_id"])


def home(visit: Visitor, _: World) -> Page:
    page = visit("steward")
    page.goto("/")
    return page


def worklist(visit: Visitor, _: World) -> Page:
    page = visit("steward")
    page.goto("/tasks")
    page.keyboard.press("j")
    return page


def review(visit: Visitor, _: World) -> Page:
    page = visit("steward")
    page.goto("/tasks?domain=patient")
    page.locator(".tasks tbody th a").nth(3).click()
    page.wait_for_selector("#item h1")
    return page


def split(visit: Visitor, world: World) -> Page:
    page = visit("steward")
    page.goto("/tasks")
    golden, token = golden_of(visit.demo, world, "item", 7), page.get_attribute("body", "data-csrf")
    page.goto(page.evaluate(FORM, [f"/records/item/{golden}/split", {"csrf": token}]))
    page.keyboard.press("u")
    page.wait_for_timeout(4000)  # until what it says of itself has gone
    return page


def record(visit: Visitor, world: World) -> Page:
    page = visit("steward")
    page.goto(f"/records/department/{golden_of(visit.demo, world, 'department', 9)}")
    return page


def history(visit: Visitor, _: World) -> Page:
    """Of a record that the steward has just merged."""
    page = visit("steward")
    page.goto("/tasks?domain=provider&status=settled")
    page.locator(".tasks tbody th a").first.click()
    page.wait_for_selector("#item h1")
    address = page.locator("a[href^='/records/provider/']").first.get_attribute("href") or ""
    page.goto(re.match("/records/provider/[0-9a-f-]+", address)[0] + "/history")
    return page


def workbench(visit: Visitor, _: World) -> Page:
    page = visit("steward")
    page.goto("/mappings/ehr-mercy/department")
    return page


def hierarchy(visit: Visitor, _: World) -> Page:
    page = visit("steward")
    page.goto("/hierarchies/cost_center:main")
    return page


def load_plan(visit: Visitor, _: World) -> Page:
    page = visit("admin")
    page.goto("/loads")
    page.click("text=suppliers of mercy")
    page.wait_for_url("**/plan")
    return page


def quality(visit: Visitor, _: World) -> Page:
    page = visit("steward")
    page.goto("/quality/matching?domain=item")
    return page


SCREENS: tuple[Callable[[Visitor, World], Page], ...] = (
    home, worklist, review, split, record, history, workbench, hierarchy, load_plan, quality,
)  # fmt: skip


def small(png: bytes) -> bytes:
    """The picture with so few colours that it weighs little, and no more than it must lose."""
    picture = Image.open(BytesIO(png)).convert("RGB")
    for colours in COLOURS:
        out = BytesIO()
        picture.quantize(colours, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
        if out.tell() <= BYTES_MAX:
            break
    return out.getvalue()


def take(demo: Demo, folder: Path, sizes: list[tuple[int, int]], themes: list[str]) -> None:
    """Take them all, then end with what is clipped in them, if anything is."""
    clipped: list[str] = []
    world = build_world()
    usual = (sizes, themes) == ([(1280, 800)], ["light"])
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=os.environ.get("MDM_CHROMIUM", "/usr/bin/chromium"), args=arguments)
        prepare(Visitor(browser, demo, (1440, 900), "light"), world)
        for size, theme in ((size, theme) for size in sizes for theme in themes):
            visit = Visitor(browser, demo, size, theme)
            for screen in SCREENS:
                page = screen(visit, world)
                page.evaluate("document.fonts.ready")
                page.wait_for_timeout(400)
                name = screen.__name__.replace("_", "-") + ("" if usual else f"-{theme}-{size[0]}")
                clipped += [f"{name}: {text}" for text in page.evaluate(CLIPPED)]
                (folder / f"{name}.png").write_bytes(small(page.screenshot()))
        browser.close()
    if clipped:
        raise SystemExit("clipped:\n" + "\n".join(clipped))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--demo", type=Path, help="demo.json of a demo that runs")
    parser.add_argument("--sizes", default="1280x800")
    parser.add_argument("--themes", default="light")
    said = parser.parse_args()
    sizes = [(int(width), int(height)) for width, height in re.findall(r"(\d+)x(\d+)", said.sizes)]
    said.folder.mkdir(parents=True, exist_ok=True)
    if said.demo:
        take(read_demo(said.demo), said.folder, sizes, said.themes.split(","))
        return
    with own_demo() as demo:
        take(demo, said.folder, sizes, said.themes.split(","))


if __name__ == "__main__":
    main()
