// What is live: the progress of a job, the newest records. Pages are whole without it.
"use strict";

// What a page of the console answers as a part of a page; nothing when it is not that.
async function part(address) {
  const answer = await fetch(address, { credentials: "same-origin", cache: "no-store" });
  if (answer.status === 204) return null;
  if (answer.redirected || !answer.ok) throw new Error(String(answer.status));
  return answer.text();
}

// Rows need a table around them to be read as rows; a template has what it takes.
function parsed(text) {
  const template = document.createElement("template");
  template.innerHTML = text;
  return template.content;
}

function pause(milliseconds) {
  return new Promise((done) => setTimeout(done, milliseconds));
}

async function followJob(job) {
  let failures = 0;
  while (job.dataset.poll && failures < 5) {
    await pause(700);
    try {
      const next = parsed(await part(job.dataset.poll)).querySelector("#job");
      // The words stay the same element, so that they are read out when they change and not otherwise.
      const words = job.querySelector("#job-words");
      const said = next.querySelector("#job-words");
      if (words.textContent !== said.textContent) words.textContent = said.textContent;
      said.remove();
      job.replaceChildren(words, ...next.childNodes);
      if (next.dataset.poll) job.dataset.poll = next.dataset.poll;
      else delete job.dataset.poll;
      failures = 0;
    } catch (error) {
      failures += 1;
    }
  }
}

function followRecords(rows) {
  const button = document.getElementById("live");
  const words = document.getElementById("live-words");
  let paused = false;
  button.hidden = false;
  button.addEventListener("click", () => {
    paused = !paused;
    button.setAttribute("aria-pressed", String(paused));
    words.textContent = paused ? "Paused." : "Live.";
  });

  const newest = () => Number(rows.querySelector("[data-index]")?.dataset.index ?? -1);
  const seen = () => rows.querySelector("[data-seen]")?.dataset.seen ?? "0";
  // Somebody who is in a row is not taken out of it.
  const isHeld = () => paused || document.hidden || rows.contains(document.activeElement);

  let told = 0;
  let unsaid = 0;
  async function look() {
    if (!isHeld()) {
      const before = newest();
      const text = await part(`${rows.dataset.live}&seen=${encodeURIComponent(seen())}`);
      if (text !== null) {
        rows.replaceChildren(parsed(text));
        for (const row of rows.querySelectorAll("[data-index]")) {
          if (Number(row.dataset.index) <= before) break;
          row.classList.add("new");
          unsaid += 1;
        }
      }
      // Said at most every ten seconds.
      if (unsaid > 0 && Date.now() - told > 10000) {
        words.textContent = `${unsaid} new record${unsaid === 1 ? "" : "s"}.`;
        told = Date.now();
        unsaid = 0;
      }
    }
  }
  (async () => {
    for (let failures = 0; failures < 5; ) {
      await pause(2000);
      try {
        await look();
        failures = 0;
      } catch (error) {
        failures += 1;
      }
    }
    button.hidden = true;
    words.textContent = "No longer live: load the page again.";
  })();
}

const job = document.getElementById("job");
if (job) followJob(job);
const rows = document.querySelector("#records[data-live]");
if (rows) followRecords(rows);

// A form with something wrong is begun at what is wrong.
const wrong = document.querySelector("[role=alert][aria-labelledby=wrong]");
if (wrong) {
  wrong.tabIndex = -1;
  wrong.focus();
}
