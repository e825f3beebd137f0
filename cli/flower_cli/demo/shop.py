"""Orders and the catalogue: many quick tasks, with declined cards, gateways that recover, missing records."""

from flower_cli.demo.app import running, task
from flower_cli.demo.failures import GatewayTimeout, PaymentDeclined, RecordMissing
from flower_cli.demo.fate import strikes, work


@task("shop.orders.reserve_stock")
def reserve_stock(order_id: int, sku: str) -> dict[str, object]:
    """Put one article aside; now and then it has been taken off sale."""
    seconds = work(order_id, shortest=0.005, longest=0.02)
    if strikes(order_id, one_in=41):
        raise RecordMissing(f"article {sku} of order {order_id} no longer exists")
    return {"order": order_id, "sku": sku, "seconds": seconds}


@task("shop.orders.capture_payment", max_retries=3)
def capture_payment(order_id: int, *, amount: str, currency: str = "EUR") -> dict[str, object]:
    """Charge the card: some are declined, and the gateway may answer at a second try, or not at all."""
    work(order_id, shortest=0.01, longest=0.06)
    if strikes(order_id, one_in=23, salt=1):
        raise PaymentDeclined(f"card declined for order {order_id}: insufficient funds")
    if strikes(order_id, one_in=13, salt=2) and running().request.retries < 1 + order_id % 4:
        late = GatewayTimeout(f"payment gateway gave no answer for order {order_id} within 2000 ms")
        raise running().retry(exc=late, countdown=1.5)
    return {"order": order_id, "captured": f"{amount} {currency}"}


@task("shop.orders.ship")
def ship(order_id: int) -> str:
    """Book a parcel."""
    work(order_id, shortest=0.01, longest=0.03)
    return f"parcel {order_id * 31 % 99991:05d}"


@task("shop.orders.refund")
def refund(order_id: int, *, reason: str) -> str:
    """Give money back, at the time agreed."""
    work(order_id, shortest=0.02, longest=0.08)
    if strikes(order_id, one_in=6, salt=3):
        raise PaymentDeclined(f"refund declined for order {order_id}: card expired")
    return f"refunded: {reason}"


@task("shop.carts.expire")
def expire_cart(cart_id: int) -> str:
    """Empty a cart that nobody paid for; revoked when somebody did."""
    return f"cart {cart_id} emptied"


@task("shop.catalog.update_price")
def update_price(article_id: int, price: str) -> str:
    """The quickest and most frequent task."""
    work(article_id, shortest=0.001, longest=0.005)
    return price


@task("shop.catalog.import_feed")
def import_feed(rows: list[dict[str, object]]) -> int:
    """Take a supplier's list: arguments of tens of kilobytes."""
    work(len(rows), shortest=0.05, longest=0.15)
    return len(rows)
