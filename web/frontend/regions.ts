// Pages without rows of their own refresh as a whole region: the same address is asked again and morphed in, so that
// focus, scroll and open details stay.
import htmx from "htmx.org";
import { Idiomorph } from "idiomorph";

/** The session has ended: the page asks for itself as a whole and is led to the login, which leads back. */
export function backToLogin(response: Response): void {
  if (response.status === 401) location.reload();
}

/** Ask for the page again and morph the region; false when `mayPatch` said no once the answer was there. */
export async function refreshRegion(region: HTMLElement, mayPatch: () => boolean): Promise<boolean> {
  const response = await fetch(location.href, { cache: "no-store", headers: { Accept: "text/html" } });
  backToLogin(response);
  if (!response.ok) throw new Error(`region: ${response.status}`);
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  if (!mayPatch()) return false;
  showIntake(page.getElementById("intake"));
  const next = page.getElementById(region.id);
  if (!next) return true;
  Idiomorph.morph(region, next, { morphStyle: "outerHTML", ignoreActiveValue: true, callbacks: { beforeNodeMorphed, beforeAttributeUpdated } });
  htmx.process(region);
  region.dispatchEvent(new CustomEvent("flower:refreshed", { bubbles: true }));
  return true;
}

/** The header tells whether events still come in; it stands outside every region. */
export function showIntake(next: HTMLElement | null): void {
  const intake = document.getElementById("intake");
  if (intake && next) Idiomorph.morph(intake, next, { morphStyle: "outerHTML" });
}

function beforeNodeMorphed(old: Node): boolean {
  return !(old instanceof Element && old.matches("[data-keep]"));
}

/** Which details are open is the reader's business, not the server's. */
function beforeAttributeUpdated(name: string, element: Element): boolean {
  return !(name === "open" && element instanceof HTMLDetailsElement);
}
