"""Mail: quick, with a rate limit, subjects in many scripts, and mailboxes that never answer."""

from flower_cli.demo.app import running, task
from flower_cli.demo.failures import GatewayTimeout
from flower_cli.demo.fate import strikes, work


@task("mail.send_receipt", max_retries=3)
def send_receipt(order_id: int, address: str) -> str:
    """Confirm an order; the mail server may need a second try."""
    work(order_id, shortest=0.005, longest=0.03)
    if strikes(order_id, one_in=19, salt=4) and running().request.retries == 0:
        raise running().retry(exc=GatewayTimeout(f"smtp: no answer for order {order_id}"), countdown=1)
    return f"250 queued as {order_id:x} for {address}"


@task("mail.send_newsletter", rate_limit="4/s")
def send_newsletter(subscriber_id: int, subject: str) -> str:
    """Advertise, no faster than the mail server allows."""
    work(subscriber_id, shortest=0.01, longest=0.03)
    return subject


@task("mail.sync_bounces", max_retries=2)
def sync_bounces(mailbox_id: int) -> int:
    """Read a mailbox; every second one stays silent until the retries run out."""
    work(mailbox_id, shortest=0.02, longest=0.05)
    if mailbox_id % 2:
        late = GatewayTimeout(f"imap: mailbox {mailbox_id} gave no answer within 3000 ms")
        raise running().retry(exc=late, countdown=2)
    return mailbox_id % 7
