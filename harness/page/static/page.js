"use strict";
// The frame of a page: what a point tells, which arms are drawn, and copies. The page is whole without it.
{
  const tip = document.getElementById("tip");

  // A point's words, a line each, beside it.
  function showTip(dot) {
    const lines = dot.getAttribute("aria-label").split("; ");
    tip.replaceChildren(...lines.map((line) => {
      const row = document.createElement("div");
      row.dir = "auto";
      row.textContent = line;
      return row;
    }));
    tip.hidden = false;
    const at = dot.getBoundingClientRect();
    const wide = document.documentElement.clientWidth;
    const left = Math.min(Math.max(at.left + at.width / 2 - tip.offsetWidth / 2, 8), wide - tip.offsetWidth - 8);
    const above = at.top - tip.offsetHeight - 6;
    tip.style.left = `${left + window.scrollX}px`;
    tip.style.top = `${(above > 4 ? above : at.bottom + 6) + window.scrollY}px`;
  }

  function hideTip() {
    tip.hidden = true;
  }

  for (const dot of document.querySelectorAll("a.dot")) {
    dot.querySelector("title")?.remove(); // else the browser shows its own as well
    dot.addEventListener("pointerenter", () => showTip(dot));
    dot.addEventListener("focus", () => showTip(dot));
    dot.addEventListener("pointerleave", hideTip);
    dot.addEventListener("blur", hideTip);
  }
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hideTip();
  });

  // A name of the legend hides or shows its arm in every picture, and brings it out while it is pointed at.
  for (const button of document.querySelectorAll("[data-toggle]")) {
    const curves = document.querySelectorAll(`.curve[data-arm="${Number(button.dataset.toggle)}"]`);
    const light = (on) => curves.forEach((curve) => curve.classList.toggle("lit", on));
    button.addEventListener("click", () => {
      const drawn = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(drawn));
      curves.forEach((curve) => curve.classList.toggle("off", !drawn));
    });
    button.addEventListener("pointerenter", () => light(true));
    button.addEventListener("focus", () => light(true));
    button.addEventListener("pointerleave", () => light(false));
    button.addEventListener("blur", () => light(false));
  }

  // Copy buttons; where the clipboard is closed to us, the text is at least selected.
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const source = document.getElementById(button.dataset.copy);
      const word = button.firstChild;
      try {
        await navigator.clipboard.writeText(source.textContent);
        word.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(source);
        word.textContent = "Selected";
      }
      setTimeout(() => { word.textContent = "Copy"; }, 1500);
    });
  }
  for (const hint of document.querySelectorAll(".scripted")) hint.hidden = false;

  // Paper has no folds.
  window.addEventListener("beforeprint", () => {
    for (const fold of document.querySelectorAll("main > section:not(#items) details")) fold.open = true;
  });
}
