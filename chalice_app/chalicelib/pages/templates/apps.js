
"use strict";
(() => {
  const box = document.getElementById("search");
  if (!box || box.value) return;  // a search that came with the address has its answer
  const folders = [...document.querySelectorAll(".folder")].map((folder) => ({
    folder,
    inIt: folder.querySelector("summary small"),
    apps: [...folder.querySelectorAll("li")].map((app) => ({app, text: app.querySelector(".what").textContent.toLowerCase()})),
  }));
  const count = document.getElementById("count");
  const all = count.textContent;

  const show = () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    for (const {folder, inIt, apps} of folders) {
      let inside = 0;
      for (const {app, text} of apps) {
        app.hidden = !words.every((word) => text.includes(word));
        if (!app.hidden) inside += 1;
      }
      folder.hidden = !inside;
      if (inIt) inIt.textContent = `${inside} app${inside === 1 ? "" : "s"}`;
      found += inside;
    }
    count.textContent = words.length ? `${found} of ${all}` : all;
    document.getElementById("nothing").hidden = found > 0;
  };

  box.addEventListener("input", show);
  box.form.addEventListener("submit", (event) => {
    event.preventDefault();
    show();
  });
  addEventListener("pageshow", show);
})();
