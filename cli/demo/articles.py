"""The articles of the demo's creators, for a task about backpacks."""

from liaison.media.v1 import articles_pb2 as pb
from liaison.tasks.v1 import tasks_pb2

# Coupons of the brand's store.
COUPONS = tasks_pb2.StoreCoupons(store_id="1101234567", coupon_ids=["TRAIL-10"])
# A product's address, as copied from a browser.
PRODUCT = "https://es.aliexpress.com/item/1005006123456789.html?spm=a2g0o.home"
TITLE = "Two days on the ridge with one backpack"

_VIDEO = "https://youtu.be/aqz-KE-bpKQ"
_INTRODUCTION = "I carried it for two days. It rained on both, and my books stayed dry."
_TEXT = (
    "I found it on AliExpress.\n\nThe first day went up to the ridge, the second down in the rain."
)
_HASHTAGS = ("#Hiking", "#Backpacks", "#Outdoor&Travel", "#TrailTested", "#CheerForAliExpress")


def hasty_draft(assignment: str, banner: str, image: str) -> pb.Article:
    """A draft with a title of 78 characters (R72), six hashtags (R78) and no product (R80)."""
    return pb.Article(
        assignment=assignment,
        banner=banner,
        title=f"{TITLE}, and why I shall not carry another one",
        introduction=_INTRODUCTION,
        blocks=[
            pb.Block(text=pb.TextBlock(text=_TEXT)),
            _image(image, "On the ridge, before the rain"),
            pb.Block(video=pb.VideoBlock(youtube_url=_VIDEO, description="How I pack it")),
            pb.Block(
                coupon=pb.CouponBlock(store_id=COUPONS.store_id, coupon_ids=COUPONS.coupon_ids)
            ),
        ],
        hashtags=[*_HASHTAGS, "#OneMore"],
    )


def corrected(draft: pb.Article) -> pb.Article:
    product = pb.ProductBlock(url=PRODUCT, description="The one in the pictures, 30 l")
    article = _with_block(draft, 2, pb.Block(product=product))
    article.title = TITLE
    article.hashtags[:] = _HASHTAGS
    return article


def with_label(article: pb.Article, image: str) -> pb.Article:
    """The article with the picture that the brand asked for, after the first image."""
    return _with_block(article, 2, _image(image, "The label, close up"))


def short_article(assignment: str, image: str) -> pb.Article:
    return pb.Article(
        assignment=assignment,
        title="Down the old trail",
        blocks=[
            pb.Block(text=pb.TextBlock(text="It held for thirty kilometres, and so did I.")),
            _image(image, "Half-way"),
        ],
        hashtags=["#Hiking"],
    )


def _image(media_object: str, description: str) -> pb.Block:
    return pb.Block(image=pb.ImageBlock(media_object=media_object, description=description))


def _with_block(article: pb.Article, index: int, block: pb.Block) -> pb.Article:
    changed = pb.Article()
    changed.CopyFrom(article)
    del changed.blocks[:]
    changed.blocks.extend([*article.blocks[:index], block, *article.blocks[index:]])
    return changed
