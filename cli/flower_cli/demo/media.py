"""Pictures and films: small tasks that meet in one, a check that fails whole galleries, slow conversions."""

from flower_cli.demo.app import task
from flower_cli.demo.failures import RecordMissing
from flower_cli.demo.fate import strikes, work


@task("media.make_thumbnail")
def make_thumbnail(image_id: int, width: int) -> str:
    """Scale one picture."""
    work(image_id + width, shortest=0.01, longest=0.06)
    if strikes(image_id, one_in=53, salt=5):
        raise RecordMissing(f"image {image_id} was deleted before it could be scaled to {width}px")
    return f"/media/{image_id}/{width}.webp"


@task("media.scan_upload")
def scan_upload(image_id: int) -> str:
    """Look for malware; every third upload is gone by then."""
    work(image_id, shortest=0.02, longest=0.08)
    if image_id % 3 == 0:
        raise RecordMissing(f"upload {image_id} expired before it was scanned")
    return "clean"


@task("media.publish_gallery")
def publish_gallery(gallery_id: int) -> str:
    """Show a gallery when all its pictures are ready."""
    work(gallery_id, shortest=0.01, longest=0.03)
    return f"/gallery/{gallery_id}"


@task("media.transcode")
def transcode(film_id: int, *, profile: str) -> dict[str, object]:
    """Convert one film: seconds."""
    return {"film": film_id, "profile": profile, "seconds": work(film_id, shortest=2.0, longest=6.0)}
