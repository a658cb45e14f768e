"use strict";
{
const given = document.currentScript.dataset;
// The page may be an operator's own. What it lacks is replaced by an element that nobody sees.
const byId = (id) => document.getElementById(id) ?? document.createElement("p");
addEventListener("DOMContentLoaded", () => {
  const begun = Date.now() - 1000 * Number(given.elapsed);
  const patience = 10000;
  let gone = false, asking = false, timer = 0, misses = 0, delay = 1000;

  const tick = () => {
    const seconds = Math.max(0, Math.floor((Date.now() - begun) / 1000));
    byId("so-far").textContent = seconds < 60 ? `${seconds} s so far` : `${Math.floor(seconds / 60)} min ${seconds % 60} s so far`;
  };

  const enter = (ready) => {
    gone = true;
    clearTimeout(timer);
    try {
      // Another tab may wait for the same page and have its own kept since: this one asks for what was kept for it.
      if (ready) document.cookie = given.cookie;
    } catch { /* none in a sandboxed frame: the app is asked anew */ }
    byId("lead").textContent = "Ready. Opening the app…";
    location.reload();
  };

  const ask = async () => {
    if (gone || asking) return;
    clearTimeout(timer);
    asking = true;
    try {
      const answer = await fetch(given.statusUrl, {
        cache: "no-store", credentials: "same-origin", redirect: "manual", headers: {accept: "application/json"}, signal: AbortSignal.timeout(patience),
      });
      if (answer.type === "opaqueredirect" || [401, 403, 404, 410].includes(answer.status)) {
        enter(false);
      } else if (answer.ok) {
        const status = await answer.json();
        misses = 0;
        byId("offline").hidden = true;
        if (status.state === "ready") enter(true);
      } else {
        throw new Error(`status ${answer.status}`);
      }
    } catch {
      misses += 1;
      if (!gone) byId("offline").hidden = misses < 3;
    }
    asking = false;
    if (gone) return;
    timer = setTimeout(ask, delay);
    delay = Math.min(5000, delay * 1.3);
  };

  addEventListener("online", ask);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) ask();
  });
  setInterval(tick, 1000);
  tick();
  timer = setTimeout(ask, delay);
});
}
