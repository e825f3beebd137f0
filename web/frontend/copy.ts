// Copies the text of the element that the pressed button names, and says that it did.
export function startCopy(): void {
  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest<HTMLElement>("[data-copy]") : null;
    const text = button && document.getElementById(button.dataset.copy ?? "")?.textContent;
    if (!button || text === null || text === undefined || !navigator.clipboard) return;
    void navigator.clipboard.writeText(text).then(() => {
      const label = button.textContent;
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = label), 1_500);
    });
  });
}
