// Runs before the first paint, blocking, so that no page flashes in the wrong theme. The strict CSP allows no inline script.
const KEY = "flower.theme";

function chosen(): string {
  try {
    return localStorage.getItem(KEY) ?? "system";
  } catch {
    return "system"; // storage may be forbidden: then the system's theme it is
  }
}

function apply(theme: string): void {
  const root = document.documentElement;
  if (theme === "light" || theme === "dark") {
    root.dataset.theme = theme;
  } else {
    delete root.dataset.theme;
  }
}

function showChoice(): void {
  const theme = chosen();
  for (const button of document.querySelectorAll<HTMLButtonElement>("[data-set-theme]")) {
    button.setAttribute("aria-pressed", String(button.dataset.setTheme === theme));
  }
}

document.documentElement.classList.add("scripted");
apply(chosen());
document.addEventListener("DOMContentLoaded", showChoice);
document.addEventListener("click", (event) => {
  const button = event.target instanceof Element ? event.target.closest<HTMLElement>("[data-set-theme]") : null;
  if (!button) return;
  const theme = button.dataset.setTheme ?? "system";
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // Applies to this page only, then.
  }
  apply(theme);
  showChoice();
  document.dispatchEvent(new CustomEvent("flower:theme"));
});
