"use strict";
// Filters, order and links of the list of claims. Without scripts the page shows all claims, in the paper's order.
(() => {
  const controls = document.querySelector(".controls");
  const list = document.getElementById("claims");
  const sections = [...list.querySelectorAll("section")];
  const claims = [...list.querySelectorAll(".claim")];
  const home = new Map(claims.map((claim) => [claim, claim.parentElement]));
  const flat = list.appendChild(document.createElement("div"));
  const kinds = [...controls.querySelectorAll("input[name=kind]")].map((input) => input.value);
  const chosen = (name) => controls.querySelector(`input[name=${name}]:checked`).value;
  const titles = new Intl.Collator("en");
  const orders = {
    kind: (a, b) => kinds.indexOf(a.dataset.kind) - kinds.indexOf(b.dataset.kind),
    title: (a, b) => titles.compare(a.dataset.title, b.dataset.title),
  };

  function show() {
    const order = orders[document.getElementById("order").value];
    for (const claim of order ? [...claims].sort(order) : claims) (order ? flat : home.get(claim)).append(claim);
    const shown = claims.filter((claim) => {
      claim.hidden = ["kind", "part"].some((name) => chosen(name) && chosen(name) !== claim.dataset[name]);
      return !claim.hidden;
    });
    for (const section of sections) section.hidden = !section.querySelector(".claim:not([hidden])");
    document.getElementById("shown").textContent = `${shown.length} of ${claims.length} shown`;
  }

  // a link to a claim that is filtered out, or to what lies in a closed part of the page, shows it
  function follow() {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    const claim = target.closest(".claim");
    if (claim && claim.hidden) {
      for (const input of controls.querySelectorAll("input[value='']")) input.checked = true;
      show();
    }
    for (let part = target; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
    if (claim === target) claim.querySelector("details").open = true;
    target.scrollIntoView();
  }

  controls.addEventListener("change", show);
  const all = document.getElementById("all");
  all.addEventListener("click", () => {
    const open = all.getAttribute("aria-pressed") !== "true";
    all.setAttribute("aria-pressed", open);
    for (const claim of claims) claim.querySelector("details").open = open;
  });
  addEventListener("hashchange", follow);
  controls.hidden = false;
  show();
  follow();
})();
