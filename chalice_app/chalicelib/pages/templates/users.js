"use strict";
{
const given = document.currentScript.dataset;
// The page may be an operator's own. What it lacks is replaced by an element that nobody sees.
const byId = (id) => document.getElementById(id) ?? document.createElement("p");
addEventListener("DOMContentLoaded", () => {
  const queue = byId("queue"), again = byId("again");
  const patience = 10000;
  let gone = false;
  const reload = () => {
    if (gone) return;
    gone = true;
    location.reload();
  };

  const tryAgainLater = () => {
    // Up to a quarter later than said: not all who wait come at the same moment.
    const whole = 1000 * Number(given.retryAfter) * (1 + Math.random() / 4);
    const due = Date.now() + whole;
    const tick = () => {
      const left = Math.max(0, due - Date.now());
      (byId("bar").firstElementChild ?? byId("bar")).style.transform = `scaleX(${1 - left / whole})`;
      byId("next").textContent = left ? `Trying again in ${Math.ceil(left / 1000)} s` : "Trying again…";
      if (!left) reload();
    };
    again.hidden = false;
    again.addEventListener("click", reload);
    setInterval(tick, 250);
    tick();
  };

  const waitInQueue = () => {
    const offline = byId("offline");
    let timer = 0, asking = false, misses = 0, delay = 2000;

    const show = (before) => {
      const words = before === 0 ? "You are next." : before === 1 ? "One visitor is before you." : `${before} visitors are before you.`;
      if (queue.textContent !== words) queue.textContent = words;
    };

    const ask = async () => {
      if (gone || asking) return;
      clearTimeout(timer);
      asking = true;
      try {
        const answer = await fetch(given.queueUrl, {
          cache: "no-store", credentials: "same-origin", redirect: "manual", headers: {accept: "application/json"}, signal: AbortSignal.timeout(patience),
        });
        if (answer.type === "opaqueredirect" || [401, 403, 404, 410].includes(answer.status)) {
          reload();
        } else if (answer.ok) {
          const status = await answer.json();
          misses = 0;
          offline.hidden = true;
          if (status.state === "wait") {
            show(status.before);
            delay = 1000 * status.again_in;
          } else {
            queue.textContent = "There is room. Opening the app…";
            reload();
          }
        } else {
          throw new Error(`status ${answer.status}`);
        }
      } catch {
        misses += 1;
        if (!gone) offline.hidden = misses < 3;
      }
      asking = false;
      if (!gone) timer = setTimeout(ask, delay);
    };

    addEventListener("online", ask);
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) ask();
    });
    timer = setTimeout(ask, delay);
  };

  if (given.queueUrl) waitInQueue(); else tryAgainLater();
});
}
