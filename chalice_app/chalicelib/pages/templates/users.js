
"use strict";
(() => {
  const bar = document.getElementById("bar");
  const again = document.getElementById("again");
  // Up to a quarter later than said: not all who wait come at the same moment.
  const whole = 1000 * Number(bar.dataset.retryAfter) * (1 + Math.random() / 4);
  const due = Date.now() + whole;
  let gone = false;
  const reload = () => {
    if (gone) return;
    gone = true;
    location.reload();
  };
  const tick = () => {
    const left = Math.max(0, due - Date.now());
    bar.firstElementChild.style.transform = `scaleX(${1 - left / whole})`;
    document.getElementById("next").textContent = left ? `Trying again in ${Math.ceil(left / 1000)} s` : "Trying again…";
    if (!left) reload();
  };
  again.hidden = false;
  again.addEventListener("click", reload);
  setInterval(tick, 250);
  tick();
})();
