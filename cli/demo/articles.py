"""What the story's creators write: articles for a task about backpacks."""

from liaison.media.v1 import articles_pb2 as pb
from liaison.tasks.v1 import tasks_pb2

# Of the store that the brand works with.
COUPONS = tasks_pb2.StoreCoupons(store_id="1101234567", coupon_ids=["TRAIL-10"])
_PRODUCT = "https://es.aliexpress.com/item/1005006123456789.html?spm=a2g0o.home"
_VIDEO = "https://youtu.be/aqz-KE-bpKQ"
_TEXT = "The first day went up to the ridge.\n\nThe second went down in the rain."

TITLE = "Two days on the ridge with one backpack"
HASHTAGS = ("#Hiking", "#Backpacks", "#Outdoor&Travel", "#TrailTested", "#CheerForAliExpress")
# One too many, and a title of 78 characters.
_HASTY_TITLE = f"{TITLE}, and why I shall not carry another one"
_HASTY_HASHTAGS = (*HASHTAGS, "#OneMore")


def hasty_draft(assignment: str, banner: str, image: str) -> pb.Article:
    """All that an article may hold, in a hurry."""
    return pb.Article(
        assignment=assignment,
        banner=banner,
        title=_HASTY_TITLE,
        introduction="I carried it for two days. It rained on both, and my books stayed dry.",
        blocks=[
            pb.Block(text=pb.TextBlock(text=_TEXT)),
            pb.Block(
                image=pb.ImageBlock(media_object=image, description="On the ridge, before the rain")
            ),
            pb.Block(
                product=pb.ProductBlock(url=_PRODUCT, description="The one in the pictures, 30 l")
            ),
            pb.Block(video=pb.VideoBlock(youtube_url=_VIDEO, description="How I pack it")),
            pb.Block(
                coupon=pb.CouponBlock(store_id=COUPONS.store_id, coupon_ids=COUPONS.coupon_ids)
            ),
        ],
        hashtags=_HASTY_HASHTAGS,
    )


def mended(draft: pb.Article) -> pb.Article:
    article = pb.Article()
    article.CopyFrom(draft)
    article.title = TITLE
    article.hashtags[:] = HASHTAGS
    return article


def with_label(article: pb.Article, image: str) -> pb.Article:
    """What the brand asked for, after the first image."""
    changed = pb.Article()
    changed.CopyFrom(article)
    label = pb.Block(image=pb.ImageBlock(media_object=image, description="The label, close up"))
    blocks = list(changed.blocks)
    del changed.blocks[:]
    changed.blocks.extend([*blocks[:2], label, *blocks[2:]])
    return changed


def short_article(assignment: str, image: str) -> pb.Article:
    return pb.Article(
        assignment=assignment,
        title="Down the old trail",
        blocks=[
            pb.Block(text=pb.TextBlock(text="It held for thirty kilometres, and so did I.")),
            pb.Block(image=pb.ImageBlock(media_object=image)),
        ],
        hashtags=["#Hiking"],
    )
