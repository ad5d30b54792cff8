"""A browser walks the console's five steps, as people do; axe-core looks at each page on the way.

Needs Chromium (Debian's package, or the one that STRONGROOM_CHROMIUM names) and, in target/clients-console, axe-core
as console/package-lock.json has it. Screenshots are left in target/screenshots.
"""

import os
import shutil
import subprocess
from pathlib import Path

import boto3
import pytest
from test_tls import Secure

HERE = Path(__file__).parent / "console"
TARGET = Path(__file__).parents[2] / "target"
CHROMIUM = os.environ.get("STRONGROOM_CHROMIUM") or shutil.which("chromium")

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium: apt-get install chromium")


def axe():
    """The script of axe-core, installed as its lock file says."""
    installed = TARGET / "clients-console"
    installed.mkdir(parents=True, exist_ok=True)
    lock = (HERE / "package-lock.json").read_bytes()
    for name in ["package.json", "package-lock.json"]:
        shutil.copy(HERE / name, installed / name)
    done = installed / "installed"
    if not done.exists() or done.read_bytes() != lock:
        command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"]
        subprocess.run(command, cwd=installed, check=True, timeout=600)
        done.write_bytes(lock)
    return (installed / "node_modules/axe-core/axe.min.js").read_text()


@pytest.fixture(scope="module")
def axe_script():
    return axe()


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture(scope="module", params=["light", "dark"])
def page(request, browser):
    context = browser.new_context(color_scheme=request.param, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.scheme = request.param
    page.problems = []
    page.on("console", lambda said: page.problems.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    yield page
    assert page.problems == []
    context.close()


def looked_at(page, script, name):
    """Takes a picture, and has axe-core find nothing serious."""
    folder = TARGET / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"{name}-{page.scheme}.png", full_page=True)
    # Evaluated by the debugger, which the page's policy does not bind.
    page.evaluate(script)
    found = page.evaluate("() => axe.run()")["violations"]
    serious = [
        (rule["id"], [node["html"] for node in rule["nodes"]])
        for rule in found
        if rule["impact"] in ("serious", "critical")
    ]
    assert serious == [], name


def test_the_five_steps(own_server, page, axe_script):
    address, bucket = f"http://{own_server.address}", f"photos-{page.scheme}"
    client = {"endpoint_url": address, "region_name": "us-east-1", "aws_access_key_id": "test",
              "aws_secret_access_key": "any"}
    s3, kms = boto3.client("s3", **client), boto3.client("kms", **client)
    disabled = kms.create_key(Description="disabled")["KeyMetadata"]["KeyId"]
    kms.disable_key(KeyId=disabled)
    look = lambda name: looked_at(page, axe_script, name)

    # 1. Sign in
    page.goto(f"{address}/_strongroom/")
    look("1-sign-in")
    page.get_by_label("Access key ID").fill("test")
    page.get_by_role("button", name="Sign in").click()

    # A bucket as there were before 2023
    page.get_by_role("link", name="Create bucket").click()
    page.get_by_label("Bucket name").fill(bucket)
    page.get_by_label("Off: objects are not encrypted").check()
    look("2-create-bucket")
    page.get_by_role("button", name="Create bucket").click()
    s3.put_object(Bucket=bucket, Key="2026/cat.jpg", Body=b"meow", Metadata={"note": "mine"})
    s3.put_object(Bucket=bucket, Key="2026/dog.jpg", Body=b"woof", ServerSideEncryption="AES256")
    assert "ServerSideEncryption" not in s3.head_object(Bucket=bucket, Key="2026/cat.jpg")

    # 2. Buckets with a count, objects with a badge and a filter
    page.get_by_role("link", name="Buckets", exact=True).first.click()
    look("2-buckets")
    page.get_by_role("row", name=bucket).get_by_role("link", name="1 not encrypted").click()
    assert page.get_by_text("dog.jpg").count() == 0
    look("2-objects")

    # 3. The object's properties
    page.get_by_role("link", name="2026/cat.jpg").click()
    assert page.get_by_text("Not encrypted").is_visible()
    look("3-object")
    page.get_by_role("link", name="Edit server-side encryption").click()

    # 4. The wizard
    page.get_by_label("SSE-KMS: AWS Key Management Service keys").check()
    keys = page.get_by_label("Available AWS KMS keys")
    assert keys.locator("option", has_text=disabled).is_disabled()
    page.get_by_label("Create a KMS key").check()
    page.get_by_label("Alias of the new key").fill(f"photos-{page.scheme}")
    look("4-wizard")
    page.get_by_role("button", name="Review changes").click()
    assert page.get_by_text("CopyObject onto itself").is_visible()
    look("4-review")

    # 5. Saved, and read back
    page.get_by_role("button", name="Save changes").click()
    page.get_by_text("Saved: the object has its new encryption.").wait_for(timeout=20_000)
    assert page.get_by_text("Read back by HeadObject").is_visible()
    look("5-result")
    headed = s3.head_object(Bucket=bucket, Key="2026/cat.jpg")
    assert headed["ServerSideEncryption"] == "aws:kms"
    key = kms.describe_key(KeyId=f"alias/photos-{page.scheme}")["KeyMetadata"]["Arn"]
    assert headed["SSEKMSKeyId"] == key
    assert headed["Metadata"] == {"note": "mine"}
    assert s3.get_object(Bucket=bucket, Key="2026/cat.jpg")["Body"].read() == b"meow"

    # What else there is
    page.goto(f"{address}/_strongroom/bucket?bucket={bucket}")
    look("6-bucket")
    page.get_by_role("link", name="Keys", exact=True).click()
    look("6-keys")
    page.get_by_role("link", name=key.rsplit("/", 1)[1]).click()
    look("6-key")
    page.get_by_role("link", name="Audit trail", exact=True).click()
    look("7-trail")
    kms.create_key(Description="seen live")
    page.locator("#records tr.new", has_text="CreateKey").first.wait_for(timeout=10_000)
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Verify the whole trail").click()
    assert page.get_by_text("Verified.").is_visible()
    look("7-verified")
    page.get_by_role("button", name="Sign out").click()
    page.goto(f"{address}/_strongroom/keys")
    assert page.get_by_role("heading", name="Sign in").is_visible()


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_the_sessions_cookie_is_secure_over_tls(browser, scheme):
    server = Secure("--ephemeral")
    # The CA is the server's own, made a moment ago.
    context = browser.new_context(ignore_https_errors=True)
    page = context.new_page()
    page.goto(f"{scheme}://{server.address}/_strongroom/")
    page.get_by_label("Access key ID").fill("test")
    page.get_by_role("button", name="Sign in").click()
    # Forms and their token work, too.
    page.get_by_role("link", name="Create bucket").click()
    page.get_by_label("Bucket name").fill("made-here")
    page.get_by_role("button", name="Create bucket").click()
    page.goto(f"{scheme}://{server.address}/_strongroom/")
    assert page.get_by_role("row", name="made-here").is_visible()
    [cookie] = context.cookies()
    assert cookie["secure"] == (scheme == "https")
    assert cookie["httpOnly"] and cookie["sameSite"] == "Strict"
    context.close()
    assert server.stop() == 0
