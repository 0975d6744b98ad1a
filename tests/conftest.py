"""One server and one browser for all tests of the site that a worker runs."""

from collections.abc import Iterator

import pytest
from browser import FLAGS, SITE
from playwright.sync_api import Browser, sync_playwright
from print_book import CHROMIUM, served


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """The address of the site."""
    with served(SITE) as url:
        yield url


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()
