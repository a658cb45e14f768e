
"use strict";
{
const given = document.currentScript.dataset;
// The page may be an operator's own. What it lacks is replaced by an element that nobody sees.
const byId = (id) => document.getElementById(id) ?? document.createElement("p");
addEventListener("DOMContentLoaded", () => {
  const part = (step, selector) => step.querySelector(selector) ?? document.createElement("p");
  const appName = given.app;
  const begun = Date.now() - 1000 * Number(given.elapsed);
  const steps = [...document.querySelectorAll("[data-step]")];
  const order = steps.map((step) => step.dataset.step);
  const shortest = 200, longest = 2000, slowAfter = 60, patience = 10000;
  const since = {[order[0]]: begun};  // when each step began, as far as this page saw it
  let phase = given.phase, said = "", delay = shortest, misses = 0, timer = 0, asking = false, over = false;

  const span = (ms) => {
    const seconds = Math.max(0, Math.floor(ms / 1000));
    return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  };

  const tick = () => {
    const now = Date.now();
    const current = steps[order.indexOf(phase)];
    if (over) return;
    if (since[phase]) part(current, ".took").textContent = span(now - since[phase]);
    byId("so-far").textContent = `${span(now - begun)} so far`;
    byId("slow").hidden = now - begun < slowAfter * 1000;
  };

  const mark = (state, words) => (step) => {
    step.dataset.state = state;
    part(step, ".heard").textContent = words;
    if (state === "now") step.setAttribute("aria-current", "step"); else step.removeAttribute("aria-current");
  };

  const show = (next, message) => {
    document.documentElement.dataset.phase = next;
    const at = order.indexOf(next);
    if (at < 0) return;
    if (next !== phase) {
      tick();
      if (!since[next]) since[next] = Date.now();
      phase = next;
      delay = shortest;
    }
    steps.slice(0, at).forEach(mark("done", "done: "));
    steps.slice(at, at + 1).forEach(mark("now", "now: "));
    steps.slice(at + 1).forEach(mark("todo", "then: "));
    const about = part(steps[at], "small");
    if (message) about.textContent = message;
    const words = `Step ${at + 1} of ${order.length}, ${part(steps[at], "b").lastChild?.textContent ?? next}: ${about.textContent}`;
    if (words !== said) byId("status").textContent = said = words;
    tick();
  };

  const end = () => {
    over = true;
    clearTimeout(timer);
    byId("slow").hidden = byId("offline").hidden = true;
    byId("pearl").classList.remove("alive");
  };

  const fail = (title, detail) => {
    tick();
    end();
    document.title = `${title} – ${appName}`;
    byId("title").textContent = title;
    byId("lead").textContent = `${appName} could not be started.`;
    byId("pearl").classList.add("dull");
    byId("status").textContent = "";
    if (byId("note")) byId("note").hidden = true;
    steps.filter((step) => step.dataset.state === "now").forEach(mark("failed", "failed: "));
    const alert = byId("failed");
    if (!alert.isConnected) document.body.append(alert);
    const words = document.createElement("p");
    words.className = "heard";
    words.textContent = title;
    alert.append(words);
    if (detail) {
      const pre = document.createElement("pre");
      pre.tabIndex = 0;
      pre.textContent = detail;
      alert.append(pre);
    }
    byId("again").hidden = false;
  };

  // How often this page loaded itself again within a minute: an app that dies as often as it starts must not become a loop.
  const memory = `sheen:again:${location.pathname}`;
  const remember = (times) => {
    try {
      if (times === null) sessionStorage.removeItem(memory);
      else sessionStorage.setItem(memory, JSON.stringify(times));
    } catch { /* no storage in a sandboxed frame */ }
  };
  const recall = () => {
    try {
      return (JSON.parse(sessionStorage.getItem(memory)) || []).filter((time) => Date.now() - time < 60000);
    } catch {
      return [Date.now()];
    }
  };

  // reload(), because replace() with the same URL and a hash only scrolls; it keeps query and hash and leaves no entry in the history.
  const enter = () => {
    const times = recall();
    if (times.length >= 5) {
      remember(null);
      fail("The app does not stay awake", "It started several times within a minute, and was gone each time.");
      return;
    }
    end();
    remember([...times, Date.now()]);
    setTimeout(() => location.reload(), times.length * 1000);
  };

  const take = (status) => {
    if (status.failure) {
      fail(status.failure.title || "The app did not start", status.failure.detail);
    } else if (status.state === "READY") {
      steps.forEach(mark("done", "done: "));
      byId("lead").textContent = byId("status").textContent = "Ready. Opening the app…";
      enter();
    } else if (status.state === "STARTING") {
      show(status.phase, status.message);
    } else {
      enter();
    }
  };

  const ask = async () => {
    if (over || asking) return;
    clearTimeout(timer);
    asking = true;
    try {
      const answer = await fetch(given.statusUrl, {
        cache: "no-store", credentials: "same-origin", redirect: "manual", headers: {accept: "application/json"}, signal: AbortSignal.timeout(patience),
      });
      if (answer.type === "opaqueredirect" || [401, 403, 404, 410].includes(answer.status)) {
        enter();
      } else if (answer.ok) {
        const status = await answer.json();
        misses = 0;
        byId("offline").hidden = true;
        take(status);
      } else {
        throw new Error(`status ${answer.status}`);
      }
    } catch {
      misses += 1;
      if (!over) byId("offline").hidden = misses < 3;
    }
    asking = false;
    if (over) return;
    timer = setTimeout(ask, delay);
    delay = Math.min(longest, delay * 1.3);
  };

  byId("again").addEventListener("click", () => {
    remember(null);
    location.reload();
  });
  addEventListener("online", ask);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) ask();
  });
  setInterval(tick, 1000);
  show(phase, "");
  timer = setTimeout(ask, delay);
});
}
