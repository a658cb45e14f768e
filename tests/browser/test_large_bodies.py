"""Files past the gateway's limits, up and down, by apps that know nothing of it (FACTS H1)."""

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from chalicelib.aws.sigv4 import Credentials
from chalicelib.bodies.presign import Signing, presigned
from tests.support.apps import app
from tests.support.memory import Growth, descendants, named
from tests.support.stack import StackProcess
from tests.support.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.browser]

START = 60_000
LARGE = 200 * 1000 * 1000
BLOCK = 1_000_000
ALLOWED_MB = 150.0

FILES = """
library(shiny)
options(shiny.maxRequestSize = 1024^3)
write_mb <- function(path, mb) {
  out <- file(path, "wb")
  on.exit(close(out))
  for (i in seq_len(mb)) writeBin(as.raw(rep(i %% 251, 1e6)), out)
}
shinyApp(
  fluidPage(
    fileInput("files", "Files", multiple = TRUE), verbatimTextOutput("sums"),
    actionButton("hang", "Hang"), textOutput("hung"),
    downloadLink("large", "Large"), downloadLink("named", "Named"), downloadLink("slow", "Slow"), textOutput("data")
  ),
  function(input, output, session) {
    output$sums <- renderText({
      req(input$files)
      paste(input$files$name, input$files$size, input$files$type, unname(tools::md5sum(input$files$datapath)), collapse = "\\n")
    })
    observeEvent(input$hang, Sys.sleep(6))
    output$hung <- renderText(input$hang)
    output$large <- downloadHandler("large 1.csv", function(file) write_mb(file, 200), "text/csv")
    output$named <- downloadHandler("gr\\u00f6\\u00dfe.bin", function(file) write_mb(file, 12))
    output$slow <- downloadHandler("slow.txt", function(file) { Sys.sleep(25); writeLines("at last", file) })
    output$data <- renderText(session$registerDataObj("rows", NULL, function(data, req) {
      asked <- rawToChar(req$rook.input$read())
      rows <- paste(rep("x", 12e6), collapse = "")
      httpResponse(200, "application/json", as.character(jsonlite::toJSON(list(asked = asked, rows = rows), auto_unbox = TRUE)))
    }))
  }
)
"""  # noqa: E501


def part_of(command: str) -> str | None:
    for name, mark in {
        "front": "-m infra.local ", "moto": "infra.emulator.moto.process", "agent": "-m agent", "lambda": "bootstrap", "R": "/R/bin/exec/R",  # noqa: E501
    }.items():  # fmt: skip
        if mark in command + " ":
            return name
    return None


def memory(stack: StackProcess) -> Growth:
    assert stack.process is not None
    every = named([stack.process.pid, *descendants(stack.process.pid)], part_of)
    assert {"front", "moto", "agent", "lambda", "R"} <= set(every.values()), every
    return Growth(every)


def browser_memory() -> Growth:
    return Growth(
        named(
            descendants(os.getpid()), lambda command: "browser" if "chromium" in command else None
        )
    )


def file_of(path: Path, size: int, seed: int) -> tuple[Path, str]:
    """Write a file and return it and its MD5."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("wb") as file:
        for number in range(0, size, BLOCK):
            block = bytes([(number // BLOCK * 7 + seed) % 256]) * min(BLOCK, size - number)
            file.write(block)
            digest.update(block)
    return path, digest.hexdigest()


def made_by_r(mb: int) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    for number in range(1, mb + 1):
        digest.update(bytes([number % 251]) * BLOCK)
    return digest.hexdigest()


def md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def bodies_left(stack: StackProcess) -> list[str]:
    bucket = stack.environment()["SHEEN_BUCKET"]
    s3 = stack.client("s3")
    objects = [
        each["Key"]
        for each in s3.list_objects_v2(Bucket=bucket, Prefix="bodies/").get("Contents", [])
    ]
    uploads = [each["Key"] for each in s3.list_multipart_uploads(Bucket=bucket).get("Uploads", [])]
    return [key for key in objects if "/uploads/" in key] + uploads


@pytest.fixture(scope="module")
def files_url(stack: StackProcess, tmp_path_factory: pytest.TempPathFactory) -> str:
    return stack.publish(app(tmp_path_factory.mktemp("apps") / "files", FILES), "/files")


@pytest.fixture
def files(files_url: str, page: Page) -> Page:
    page.goto(files_url)
    expect(page.locator("#data")).to_contain_text("dataobj", timeout=START)
    return page


def test_200_mb_up_arrive_whole_with_progress_and_bounded_memory(
    stack: StackProcess, files: Page, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    path, digest = file_of(tmp_path / "large.bin", LARGE, 1)
    files.evaluate(
        """() => {
          window.widths = [];
          const bar = () => parseInt(document.querySelector('.progress-bar').style.width);
          const box = document.querySelector('#files_progress');
          new MutationObserver(() => widths.push(bar())).observe(box, {attributes: true, subtree: true});
        }"""  # noqa: E501
    )
    grown, browser = memory(stack), browser_memory()
    files.locator("#files").set_input_files(path)
    expect(files.locator("#sums")).to_contain_text(digest, timeout=40_000)
    expect(files.locator("#sums")).to_contain_text(f"large.bin {LARGE} application/octet-stream")
    widths = files.evaluate("widths")
    assert len({width for width in widths if 0 < width < 90}) > 5, widths
    expect(files.locator("#files_progress")).to_contain_text("Upload complete")
    most = grown.most() | browser.most()
    record_property("grown_mb", most)
    assert max(most.values()) < ALLOWED_MB, most
    until(lambda: not bodies_left(stack), 20, "the object to be deleted")


def test_200_mb_down_arrive_whole_under_their_name_and_with_bounded_memory(
    stack: StackProcess, files: Page, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    grown, browser = memory(stack), browser_memory()
    with files.expect_download(timeout=120_000) as downloading:
        files.locator("#large").click()
    download = downloading.value
    download.save_as(tmp_path / "got")
    assert download.suggested_filename == "large 1.csv"
    assert (tmp_path / "got").stat().st_size == LARGE
    assert md5(tmp_path / "got") == made_by_r(200)
    most = grown.most() | browser.most()
    record_property("grown_mb", most)
    assert max(most.values()) < ALLOWED_MB, most


def test_a_large_download_keeps_a_name_that_is_not_ascii(files: Page, tmp_path: Path) -> None:
    with files.expect_download(timeout=60_000) as downloading:
        files.locator("#named").click()
    assert downloading.value.suggested_filename == "größe.bin"
    assert md5(Path(downloading.value.path())) == made_by_r(12)


def test_a_download_slower_than_the_gateway_waits_arrives(files: Page) -> None:
    with files.expect_download(timeout=60_000) as downloading:
        files.locator("#slow").click()
    assert downloading.value.suggested_filename == "slow.txt"
    assert Path(downloading.value.path()).read_text() == "at last\n"


def test_several_files_at_once_small_and_large(
    stack: StackProcess, files: Page, tmp_path: Path
) -> None:
    sizes = [
        ("small.txt", 1000),
        ("large.bin", 12_345_678),
        ("middle.csv", 3_000_000),
        ("last.bin", 9_000_000),
    ]
    made = [file_of(tmp_path / name, size, number) for number, (name, size) in enumerate(sizes)]
    files.locator("#files").set_input_files([path for path, _ in made])
    expect(files.locator("#sums")).to_contain_text(made[-1][1], timeout=60_000)
    said = [line.split() for line in files.locator("#sums").inner_text().splitlines()]
    assert [(line[0], int(line[1]), line[-1]) for line in said] == [
        (path.name, path.stat().st_size, digest) for path, digest in made
    ]
    until(lambda: not bodies_left(stack), 20, "the objects to be deleted")


def test_a_busy_r_gets_the_file_when_it_has_time_and_does_not_grow_meanwhile(
    stack: StackProcess, files: Page, tmp_path: Path
) -> None:
    path, digest = file_of(tmp_path / "large.bin", LARGE, 2)
    files.locator("#files").set_input_files(path)
    expect(files.locator("#files_progress")).to_contain_text("large.bin")
    grown = memory(stack)
    files.locator("#hang").click()
    expect(files.locator("#sums")).to_contain_text(digest, timeout=40_000)
    assert grown.most()["R"] < ALLOWED_MB, grown.most()


ASK = """async ([method, url, body]) => new Promise((resolve) => {
  const xhr = new XMLHttpRequest();
  xhr.open(method, url);
  xhr.setRequestHeader("X-Requested-With", "XMLHttpRequest");
  xhr.onloadend = () => resolve([xhr.status, xhr.getResponseHeader("content-type"), xhr.responseText.length,
    xhr.status === 200 ? JSON.parse(xhr.responseText).asked : xhr.responseText.slice(0, 200)]);
  xhr.send(body);
})"""  # noqa: E501


@pytest.mark.parametrize(("method", "body"), [("GET", None), ("POST", "draw=1&start=0")])
def test_an_answer_of_12_mb_to_a_pages_script(files: Page, method: str, body: str | None) -> None:
    answer = files.evaluate(ASK, [method, files.locator("#data").inner_text(), body])
    assert answer[:2] == [200, "application/json"]
    assert answer[2] > 12_000_000
    assert answer[3] == (body or "")


def test_it_works_from_another_origin_than_s3s(
    stack: StackProcess, files: Page, tmp_path: Path
) -> None:
    """As on AWS, where S3 is on a domain of its own."""
    known = stack.environment()
    signing = Signing(
        "us-east-1",
        Credentials(known["AWS_ACCESS_KEY_ID"], known["AWS_SECRET_ACCESS_KEY"], None),
    )
    files.goto(files.url.replace("127.0.0.1", "localhost"))
    for method, body, answer in [("PUT", "x" * 100, ""), ("GET", None, "x" * 100)]:
        link = presigned(
            method, f"{stack.url}/{known['SHEEN_BUCKET']}/bodies/cors", signing, time.time(), 60
        )
        said = files.evaluate(
            """async ([method, link, body]) => {
              const answer = await fetch(link, {method, body, headers: {'X-Requested-With': 'x'}});
              return [answer.status, answer.headers.get('etag') !== null, await answer.text()];
            }""",
            [method, link, body],
        )
        assert said == [200, True, answer]
    stack.client("s3").delete_object(Bucket=known["SHEEN_BUCKET"], Key="bodies/cors")


def test_an_upload_that_is_given_up_leaves_nothing(
    stack: StackProcess, files: Page, tmp_path: Path
) -> None:
    path, _ = file_of(tmp_path / "large.bin", LARGE, 3)
    files.locator("#files").set_input_files(path)
    until(lambda: bodies_left(stack), 20, "the upload to begin")
    files.goto("about:blank")
    until(lambda: not bodies_left(stack), 40, "the parts to be gone")


SMALL_LIMIT = """
library(shiny)
shinyApp(fluidPage(fileInput("files", "Files"), verbatimTextOutput("sums"), textOutput("up")),
  function(input, output, session) { output$sums <- renderText(input$files$size); output$up <- renderText("up") })
"""  # noqa: E501


def test_rs_own_limit_is_told_as_shiny_tells_it(
    stack: StackProcess, page: Page, tmp_path: Path
) -> None:
    page.goto(stack.publish(app(tmp_path / "limit", SMALL_LIMIT), "/limit"))
    expect(page.locator("#up")).to_have_text("up", timeout=START)
    path, _ = file_of(tmp_path / "six.bin", 6_000_000, 0)
    page.locator("#files").set_input_files(path)
    expect(page.locator("#files_progress")).to_contain_text(
        "Maximum upload size exceeded", timeout=30_000
    )
    # A page that does not ask R first gets no room in S3.
    token = page.evaluate("Shiny.shinyapp.config.sessionId")
    worker = page.evaluate("Shiny.shinyapp.config.workerId")
    answer = page.evaluate(
        """([url]) => new Promise((resolve) => { const xhr = new XMLHttpRequest(); xhr.open("POST", url);
          xhr.onloadend = () => resolve([xhr.status, xhr.responseText]); xhr.send(new Blob([new Uint8Array(6e6)])); })""",  # noqa: E501
        [f"session/{token}/upload/0123456789abcdef?w={worker}"],
    )
    agreed = "a file of 6,000,000 bytes: the app has not agreed to take it; choose the file again"
    assert answer == [400, f"Upload failed: {agreed}"]
    until(lambda: not bodies_left(stack), 20, "the object to be deleted")


BOOKMARK = """
library(shiny)
ui <- function(request) fluidPage(
  textInput("text", "Text"), fileInput("files", "Files"), bookmarkButton(), textOutput("heard"), textOutput("sum"), textOutput("url"))
server <- function(input, output, session) {
  output$heard <- renderText(paste("heard", input$text))
  output$sum <- renderText({ req(input$files); unname(tools::md5sum(input$files$datapath)) })
  onBookmarked(function(url) output$url <- renderText(url))
}
options(shiny.maxRequestSize = 1024^3)
enableBookmarking("STORE")
shinyApp(ui, server)
"""  # noqa: E501


@pytest.mark.parametrize("store", ["url", "server"])
def test_bookmarked_state_comes_back(
    store: str, stack: StackProcess, page: Page, tmp_path: Path
) -> None:
    page.goto(
        stack.publish(app(tmp_path / store, BOOKMARK.replace("STORE", store)), f"/bookmark-{store}")
    )
    expect(page.locator("#heard")).to_have_text("heard", timeout=START)
    page.locator("#text").fill("kept")
    expect(page.locator("#heard")).to_have_text("heard kept")
    path, digest = file_of(tmp_path / "state.bin", 7_000_000, 4)
    page.locator("#files").set_input_files(path)
    expect(page.locator("#sum")).to_have_text(digest, timeout=30_000)
    page.locator("button._bookmark_, [id='._bookmark_']").click()
    expect(page.locator("#url")).to_contain_text("_inputs_" if store == "url" else "_state_id_")
    page.goto(page.locator("#url").inner_text())
    expect(page.locator("#heard")).to_have_text("heard kept", timeout=START)
    if store == "server":
        expect(page.locator("#sum")).to_have_text(digest, timeout=30_000)


OWN = """
library(shiny)
options(shiny.maxRequestSize = 30e6)
ui <- function(request) {
  if (request$PATH_INFO == "/post") {
    sent <- request$rook.input$read()
    return(httpResponse(200, "text/plain", paste(request$REQUEST_METHOD, length(sent), request$HTTP_CONTENT_TYPE, request$HTTP_X_APP_OWN)))
  }
  fluidPage(textOutput("data"))
}
attr(ui, "http_methods_supported") <- c("GET", "POST", "PUT")
server <- function(input, output, session) {
  output$data <- renderText(session$registerDataObj("rows", NULL, function(data, request) {
    httpResponse(200, "application/json", as.character(jsonlite::toJSON(list(size = length(request$rook.input$read())), auto_unbox = TRUE)))
  }))
}
shinyApp(ui, server, uiPattern = ".*")
"""  # noqa: E501


def test_what_a_pages_own_scripts_send_arrives_or_is_told_with_the_limit(
    stack: StackProcess, page: Page, tmp_path: Path
) -> None:
    page.goto(stack.publish(app(tmp_path / "own", OWN), "/own"))
    expect(page.locator("#data")).to_contain_text("dataobj", timeout=START)
    where = page.locator("#data").inner_text()
    fetched = """async ([url, method, size]) => {
      const headers = {"x-app-own": "1", "content-type": "application/x-own"};
      const answer = await fetch(url, {method, headers, body: new Uint8Array(size)});
      return [answer.status, await answer.text()];
    }"""
    assert page.evaluate(fetched, [where, "POST", 12_000_000]) == [200, '{"size":12000000}']
    assert page.evaluate(fetched, ["post", "PUT", 6_000_000]) == [
        200,
        "PUT 6000000 application/x-own 1",
    ]
    assert page.evaluate(fetched, ["post", "POST", 31_000_000])[0] == 413  # R's own limit
    status, text = page.evaluate(fetched, ["post", "POST", 65 * 1024**2])
    assert (status, "67,108,864 are allowed" in text) == (413, True)
    posted = """(url) => new Promise((resolve) => {
      const xhr = new XMLHttpRequest();
      xhr.open("POST", url);
      xhr.responseType = "json";
      xhr.onload = () => resolve([xhr.status, xhr.response]);
      xhr.send("x".repeat(5000000));
    })"""
    assert page.evaluate(posted, where) == [200, {"size": 5_000_000}]
    until(lambda: not bodies_left(stack), 20, "the objects to be deleted")
