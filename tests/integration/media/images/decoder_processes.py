"""The running decoder processes of a test."""

import psutil


def decoder_processes() -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process().children()
        if "services.media.images.decoder" in child.cmdline()
    ]
