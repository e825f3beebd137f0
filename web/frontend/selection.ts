// Selected rows: how many, clear, copy their ids; and the checkbox above that takes the whole page.
const boxes = (): HTMLInputElement[] => [...document.querySelectorAll<HTMLInputElement>("[data-live-rows] tbody [data-select]")];
const ids = (): string[] => boxes().filter((box) => box.checked).map((box) => box.value);

function show(): void {
  const chosen = ids().length;
  const bar = document.querySelector<HTMLElement>("[data-selection]");
  if (bar) bar.hidden = chosen === 0;
  const text = document.querySelector("[data-selection-count]");
  if (text) text.textContent = `${chosen} selected`;
  const all = document.querySelector<HTMLInputElement>("[data-select-all]");
  if (all) {
    all.checked = chosen > 0 && chosen === boxes().length;
    all.indeterminate = chosen > 0 && !all.checked;
  }
}

function set(checked: boolean): void {
  for (const box of boxes()) box.checked = checked;
  show();
  document.dispatchEvent(new Event("change"));
}

export function startSelection(): void {
  document.addEventListener("change", (event) => {
    if (event.target instanceof HTMLInputElement && event.target.matches("[data-select-all]")) set(event.target.checked);
    show();
  });
  document.querySelector("[data-selection-clear]")?.addEventListener("click", () => set(false));
  document.querySelector("[data-selection-copy]")?.addEventListener("click", () => {
    void navigator.clipboard?.writeText(ids().join("\n"));
  });
  // The browser restores ticked boxes when one comes back to the page.
  addEventListener("pageshow", show);
  document.addEventListener("htmx:afterSettle", show);
}
