"""What happens in the shop: each scenario sends some related tasks, by every means Celery has."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from celery import chain, chord, group

from flower_cli.demo import mail, media, reports, shop
from flower_cli.demo.app import revoke

Later = Callable[[float, Callable[[], object]], None]
"""Do something after so many seconds."""

Scenario = Callable[[Random, Later], None]

SUBJECTS = (
    "Sommerschlussverkauf: Übergrößen für Groß & Klein",
    "東京の新しいお店がオープンしました 🎏",
    "Новинки недели — скидки до 40 %",
    "عرض خاص لعملائنا الكرام",
    "Ça, c'est l'été ! 🏖️ 30 % sur les naïades",
)
TITLES = (
    "<script>alert('price')</script>",
    "Tom & Jerry's <b>bold</b> offer",
    "{{ 7 * 7 }} reasons to buy",
    "</td></tr></table>broken & proud",
)
REGIONS = ("north", "south", "east", "west")


@dataclass(frozen=True, slots=True)
class Share:
    """How often a scenario happens, relative to the others, and how many tasks it sends."""

    scenario: Scenario
    weight: int
    tasks: int


@dataclass(frozen=True, slots=True)
class Regular:
    """A scenario with slow tasks: it keeps its own pace, or a higher rate would only fill its queue."""

    scenario: Scenario
    first_after: timedelta
    every: timedelta


def order(random: Random, _later: Later) -> None:
    """An order: four tasks one after the other; a failure ends the chain."""
    number = random.randrange(10_000, 99_999)
    address = f"{random.choice(('ada', 'grace', 'edsger', 'zoë'))}{number % 97}@example.org"
    chain(
        shop.reserve_stock.si(number, f"SKU-{number % 8999:04d}"),
        shop.capture_payment.si(number, amount=f"{random.uniform(5, 250):.2f}"),
        shop.ship.si(number),
        mail.send_receipt.si(number, address),
    ).apply_async()


def price_change(random: Random, _later: Later) -> None:
    """One quick task."""
    shop.update_price.delay(random.randrange(9_000), f"{random.uniform(1, 99):.2f}")


def gallery(random: Random, _later: Later) -> None:
    """Three thumbnails and then the page that shows them: a chord that usually works."""
    number = random.randrange(1_000, 9_999)
    widths = (160, 640, 1280)
    chord([media.make_thumbnail.si(number, width) for width in widths], media.publish_gallery.si(number)).apply_async()


def bad_upload(random: Random, _later: Later) -> None:
    """A chord of which one member always fails: its body never runs."""
    number = random.randrange(300, 3_000) * 3
    chord([media.scan_upload.si(number + step) for step in range(3)], media.publish_gallery.si(number)).apply_async()


def sales_figures(random: Random, _later: Later) -> None:
    """A plain group."""
    day = random.randrange(1, 365)
    group(reports.count_region.si(region, day) for region in REGIONS).apply_async()
    reports.add_up.delay(day)


def page(random: Random, _later: Later) -> None:
    """Arguments that look like markup."""
    body = f'<p onclick="steal()">{random.choice(SUBJECTS)}</p>'
    reports.render_page.delay(random.randrange(5_000), random.choice(TITLES), body)


def newsletter(random: Random, _later: Later) -> None:
    """A burst that the rate limit spreads."""
    for _ in range(5):
        mail.send_newsletter.delay(random.randrange(100_000), random.choice(SUBJECTS))


def bounces(random: Random, _later: Later) -> None:
    """Retries that run out, every second time."""
    mail.sync_bounces.delay(random.randrange(500))


def feed(random: Random, _later: Later) -> None:
    """Large arguments: 20 to 60 kB."""
    article = {"name": random.choice(SUBJECTS), "price": "9.99", "stock": 7, "text": "lorem ipsum " * 8}
    shop.import_feed.delay([{"sku": f"SKU-{row:05d}", **article} for row in range(random.randrange(100, 250))])


def refund(random: Random, _later: Later) -> None:
    """Sent now, for a moment given by the clock on the wall (ETA)."""
    due = datetime.now(UTC) + timedelta(seconds=random.uniform(5, 30))
    reason = random.choice(("too small", "zu groß", "arrived broken"))
    shop.refund.si(random.randrange(10_000, 99_999), reason=reason).apply_async(eta=due)


def cart(random: Random, later: Later) -> None:
    """Sent for later (countdown); half of them are revoked while they wait."""
    countdown = random.uniform(6, 20)
    waiting = shop.expire_cart.si(random.randrange(100_000)).apply_async(countdown=countdown)
    if random.choice((True, False)):
        later(countdown / 3, lambda: revoke(waiting))


def film(random: Random, _later: Later) -> None:
    """A slow task."""
    media.transcode.delay(random.randrange(1_000), profile=random.choice(("1080p", "720p", "audio")))


def monthly_report(random: Random, _later: Later) -> None:
    """The long task."""
    reports.build_monthly.delay(f"2026-{random.randrange(1, 13):02d}")


def cancelled_report(random: Random, later: Later) -> None:
    """The long task again, until somebody loses patience and has it terminated."""
    running = reports.build_monthly.si(f"2025-{random.randrange(1, 13):02d}").apply_async()
    later(8, lambda: revoke(running, terminate=True))


MIX = (
    Share(price_change, weight=80, tasks=1),
    Share(order, weight=36, tasks=4),
    Share(page, weight=16, tasks=1),
    Share(gallery, weight=12, tasks=4),
    Share(cart, weight=6, tasks=1),
    Share(refund, weight=6, tasks=1),
    Share(bad_upload, weight=3, tasks=3),
    Share(sales_figures, weight=4, tasks=5),
    Share(bounces, weight=4, tasks=1),
    Share(newsletter, weight=2, tasks=5),
    Share(feed, weight=1, tasks=1),
)
REGULARS = (
    Regular(monthly_report, first_after=timedelta(seconds=1), every=timedelta(seconds=90)),
    Regular(cancelled_report, first_after=timedelta(seconds=5), every=timedelta(seconds=180)),
    Regular(film, first_after=timedelta(seconds=2), every=timedelta(seconds=10)),
)
