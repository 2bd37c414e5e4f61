// SPDX-License-Identifier: Apache-2.0
// Keeps a page up to date, shows the values of charts under the pointer, and filters the settings. Pages work without it.
"use strict";

const live = document.getElementById("live");

// ---- Live updates: when a batch has changed, the page is fetched again and its main part replaced.

let pending = false;
let last = 0;
const leastPause = 1000;

function say(state) {
  if (live) live.dataset.state = state;
}

function isBusy() {
  const selection = window.getSelection();
  return document.hidden || (selection && !selection.isCollapsed) || document.activeElement?.id === "filter";
}

async function refresh() {
  pending = false;
  if (isBusy()) {
    schedule();
    return;
  }
  last = performance.now();
  try {
    const answer = await fetch(location.pathname + location.search, { cache: "no-store" });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("main");
    const main = document.getElementById("main");
    if (!fresh || !main) return;
    for (const old of main.querySelectorAll("details[id]")) {
      const same = fresh.querySelector("#" + CSS.escape(old.id));
      if (same) same.open = old.open;
    }
    const scrolled = [...main.querySelectorAll(".scroll")].map((box) => box.scrollLeft);
    main.replaceWith(fresh);
    fresh.querySelectorAll(".scroll").forEach((box, number) => (box.scrollLeft = scrolled[number] || 0));
    say("on");
  } catch {
    say("off");
  }
}

function schedule() {
  if (pending) return;
  pending = true;
  setTimeout(refresh, Math.max(50, leastPause - (performance.now() - last)));
}

// A drawing that is wider than its box begins with its first node, which is in the middle.
for (const box of document.querySelectorAll(".scroll.graph")) {
  const first = box.querySelector(".node")?.getBoundingClientRect();
  if (first) box.scrollLeft = first.left + first.width / 2 - box.getBoundingClientRect().left - box.clientWidth / 2;
}

// A browser opens few connections to one server: a page that nobody sees gives its own back.
let events;

function follow() {
  if (events || document.hidden) return;
  events = new EventSource("/events");
  events.addEventListener("open", () => say("on"));
  events.addEventListener("error", () => say("off"));
  events.addEventListener("batch", schedule);
}

function leave() {
  events?.close();
  events = undefined;
}

follow();
addEventListener("pagehide", leave);
addEventListener("pageshow", (event) => event.persisted && (follow(), schedule()));
document.addEventListener("visibilitychange", () => (document.hidden ? leave() : (follow(), schedule())));

// ---- Charts: the nearest point to the pointer.

function points(chart) {
  return chart.dataset.points
    .split(";")
    .filter(Boolean)
    .map((point) => point.split(","))
    .map(([x, time, value]) => ({ x: Number(x) / 10, time, value }));
}

function hide(chart) {
  chart.querySelector(".cursor").hidden = true;
  chart.querySelector(".tip").hidden = true;
}

document.addEventListener("pointermove", (event) => {
  const plot = event.target.closest?.(".chart .plot");
  document.querySelectorAll(".chart").forEach((chart) => chart.contains(plot) || hide(chart));
  if (!plot) return;
  const box = plot.getBoundingClientRect();
  const at = ((event.clientX - box.left) / box.width) * 100;
  let nearest;
  for (const point of points(plot.parentElement)) {
    if (!nearest || Math.abs(point.x - at) < Math.abs(nearest.x - at)) nearest = point;
  }
  if (!nearest) return;
  const cursor = plot.querySelector(".cursor");
  const tip = plot.querySelector(".tip");
  cursor.hidden = tip.hidden = false;
  cursor.style.left = tip.style.left = nearest.x + "%";
  tip.classList.toggle("left", nearest.x > 60);
  tip.textContent = nearest.value + " at " + nearest.time;
});

// ---- Settings: only the keys that contain what is typed.

document.addEventListener("input", (event) => {
  if (event.target.id !== "filter") return;
  const wanted = event.target.value.toLowerCase();
  for (const row of document.querySelectorAll("tr[data-key]")) {
    row.hidden = !row.dataset.key.includes(wanted);
  }
});
