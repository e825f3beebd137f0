// Rows stay where they are: the page asks for the rows it shows and patches each in place. What is new waits behind a
// button. A row's focused cell and its checkbox are never touched.
import htmx from "htmx.org";
import { Idiomorph } from "idiomorph";
import { backToLogin, showIntake } from "./regions";

const CHUNK = 100; // ids an address: 100 UUIDs make 4 kB, and many proxies end at 8
const COUNTS = 5_000; // milliseconds between two counts of the states, which cost more than rows
let counted = performance.now();
const seen = new WeakMap<Element, string>();

/** Ask for the rows on the page and patch them; false when `mayPatch` said no once the answer was there. */
export async function refreshRows(table: HTMLTableElement, mayPatch: () => boolean): Promise<boolean> {
  const rows = new Map<string, HTMLTableRowElement>();
  for (const row of table.tBodies[0]?.rows ?? []) rows.set(row.dataset.taskId ?? "", row);
  const ids = [...rows.keys()];
  for (let start = 0; start === 0 || start < ids.length; start += CHUNK) {
    const answer = await ask(table, ids.slice(start, start + CHUNK));
    if (!mayPatch() || !table.isConnected) return false; // the list may have been replaced meanwhile
    for (const next of answer.querySelectorAll<HTMLTableRowElement>("tr[data-task-id]")) {
      const row = rows.get(next.dataset.taskId ?? "");
      if (row) patch(row, next);
    }
    if (start === 0) showNew(answer.querySelector<HTMLElement>("[data-newer]"));
    if (start === 0) showIntake(answer.querySelector<HTMLElement>("#intake"));
    if (start === 0) showCounts(answer.querySelector<HTMLElement>("#state-toggles"));
  }
  return true;
}

function showCounts(next: HTMLElement | null): void {
  const toggles = document.getElementById("state-toggles");
  if (toggles && next && !toggles.contains(document.activeElement)) Idiomorph.morph(toggles, next, { morphStyle: "outerHTML" });
}

async function ask(table: HTMLTableElement, ids: string[]): Promise<DocumentFragment> {
  const address = new URL(table.dataset.liveRows ?? "", location.href);
  for (const id of ids) address.searchParams.append("id", id);
  if (performance.now() - counted > COUNTS) {
    counted = performance.now();
    address.searchParams.set("counts", "1");
  }
  const response = await fetch(address, { cache: "no-store" });
  backToLogin(response);
  if (!response.ok) throw new Error(`rows: ${response.status}`);
  const template = document.createElement("template");
  template.innerHTML = await response.text();
  return template.content;
}

function patch(row: HTMLTableRowElement, next: HTMLTableRowElement): void {
  const text = next.outerHTML;
  if (seen.get(row) === text) return;
  seen.set(row, text);
  const state = row.dataset.state;
  const focused = row.contains(document.activeElement) ? document.activeElement?.closest("td") : null;
  Idiomorph.morph(row, next, {
    morphStyle: "outerHTML",
    callbacks: {
      beforeNodeMorphed: (old: Node) => old !== focused && !(old instanceof Element && old.matches("[data-keep]")),
    },
  });
  if (row.dataset.state !== state) flash(row);
}

function flash(row: HTMLTableRowElement): void {
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  const edge = getComputedStyle(row).getPropertyValue("--accent");
  // In three steps: a smooth fade paints at every frame, which took 62 % of the main thread at 500 changes a second
  // where this takes 13 %.
  const fade = [{ boxShadow: `-3px 0 0 ${edge}` }, { boxShadow: "-3px 0 0 transparent" }];
  row.animate(fade, { duration: 600, easing: "steps(3)" });
}

function showNew(told: HTMLElement | null): void {
  const button = document.querySelector<HTMLElement>("[data-new-button]");
  if (!button || !told) return;
  const text = told.textContent?.trim() ?? "";
  if (button.textContent !== text) button.textContent = text;
  button.hidden = told.dataset.newer === "0";
}

/** After "N new" was pressed the list is the first page again: the button goes, and focus with it to the list. */
export function watchNewButton(): void {
  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest<HTMLAnchorElement>("[data-new-button]") : null;
    if (!button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const list = { target: "#task-list", select: "#task-list", swap: "outerHTML" };
    void htmx.ajax("get", button.href, list as Parameters<typeof htmx.ajax>[2]).then(() => {
      button.hidden = true;
      button.textContent = "";
      scrollTo({ top: 0 });
      document.querySelector<HTMLElement>("#task-list")?.focus({ preventScroll: true });
    });
  });
}
