"""Articles and revisions as protobuf messages."""

from liaison.media.v1 import articles_pb2 as pb

from servicekit.timestamps import to_timestamp
from services.media.articles import links
from services.media.articles.domain import (
    Article,
    AssignmentContext,
    Block,
    CatalogueProduct,
    Content,
    Coupon,
    Image,
    Product,
    Revision,
    Text,
    Video,
)
from services.media.articles.validation.findings import Finding, Findings


def article_message(article: Article) -> pb.Article:
    message = _content_message(article.content)
    revision_id = article.latest_revision_id
    message.MergeFrom(
        pb.Article(
            name=article.name,
            creator=f"creators/{article.creator_id}",
            assignment=_assignment(article.assignment_context),
            etag=article.etag,
            create_time=to_timestamp(article.create_time),
            update_time=to_timestamp(article.update_time),
            latest_revision=f"{article.name}/revisions/{revision_id}" if revision_id else "",
        )
    )
    return message


def revision_message(revision: Revision) -> pb.ArticleRevision:
    article = _content_message(revision.content)
    article.name = f"articles/{revision.article_id}"
    article.creator = f"creators/{revision.creator_id}"
    article.assignment = _assignment(revision.assignment_context)
    return pb.ArticleRevision(
        name=revision.name,
        article=article,
        products=map(product_message, revision.products),
        seal_time=to_timestamp(revision.seal_time),
    )


def product_message(product: CatalogueProduct) -> pb.Product:
    return pb.Product(
        item_id=product.item_id,
        url=product.url,
        title=product.title,
        image_url=product.image_url,
        price=product.price,
    )


def validation_message(findings: Findings) -> pb.ArticleValidation:
    return pb.ArticleValidation(
        is_valid=not findings.violations,
        violations=map(_finding_message, findings.violations),
        advice=map(_finding_message, findings.advice),
        confirmations=map(_finding_message, findings.confirmations),
    )


def _finding_message(finding: Finding) -> pb.Finding:
    return pb.Finding(field=finding.field, rule_id=finding.rule, description=finding.description)


def _assignment(assignment_context: AssignmentContext | None) -> str:
    return f"assignments/{assignment_context.assignment_id}" if assignment_context else ""


def _media_object(media_id: str) -> str:
    return f"mediaObjects/{media_id}" if media_id else ""


def _content_message(content: Content) -> pb.Article:
    return pb.Article(
        kind=pb.Article.Kind.Value(f"KIND_{content.kind}"),
        banner=_media_object(content.banner_id),
        title=content.title,
        introduction=content.introduction,
        blocks=map(_block_message, content.blocks),
        hashtags=content.hashtags,
    )


def _block_message(block: Block) -> pb.Block:
    match block:
        case Text():
            return pb.Block(text=pb.TextBlock(text=block.text))
        case Image():
            return pb.Block(
                image=pb.ImageBlock(
                    media_object=_media_object(block.media_object_id),
                    description=block.description,
                )
            )
        case Product():
            return pb.Block(
                product=pb.ProductBlock(
                    url=block.url,
                    description=block.description,
                    item_id=links.item_id_or_empty(block.url),
                )
            )
        case Video():
            return pb.Block(video=_video_message(block))
        case Coupon():
            return pb.Block(
                coupon=pb.CouponBlock(store_id=block.store_id, coupon_ids=block.coupon_ids)
            )


def _video_message(video: Video) -> pb.VideoBlock:
    message = pb.VideoBlock(
        description=video.description, youtube_id=links.youtube_id_or_empty(video.youtube_url)
    )
    if video.media_object_id:
        message.media_object = _media_object(video.media_object_id)
    else:
        message.youtube_url = video.youtube_url
    return message
