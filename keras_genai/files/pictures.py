"""Picture files as a viewer shows them: turned, in sRGB, eight bits, first frame."""

import io
import warnings

import numpy as np

from keras_genai.files.text import read_bytes

EXTENSIONS = (
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".gif", ".bmp", ".dib"),
    *(".webp", ".tif", ".tiff", ".avif", ".avifs", ".jp2", ".j2k", ".jpx", ".ico"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".qoi", ".mpo"),
)
_FORMATS = (  # not EPS and its like, which run other programs
    *("PNG", "JPEG", "GIF", "BMP", "DIB", "WEBP", "TIFF", "AVIF", "JPEG2000"),
    *("ICO", "PPM", "TGA", "QOI", "MPO"),
)
_SCREEN_GAMMA = 2.2


def read_picture(path):
    """The pixels of a file, whatever its extension says that it is.

    The EXIF turn, colour profile and gamma that the file states are applied. Of
    several frames the first is taken, of 16 bits a colour the upper eight.

    Args:
        path: path of a file.

    Returns:
        uint8 `(H, W, C)`: grey, grey and alpha, RGB, or RGB and alpha.

    Raises:
        OSError: if it cannot be read or decoded; the message does not name it.
    """
    from PIL import Image, ImageOps

    try:
        content = read_bytes(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of metadata that no pixel depends on
            with Image.open(io.BytesIO(content), formats=_known(Image)) as image:
                image.load()
                turned = ImageOps.exif_transpose(image)
                pixels = np.asarray(_to_screen(_eight_bits(turned)))
    except Exception as error:  # decoders raise of all kinds
        reason = "empty file" if _is_empty(path) else type(error).__name__
        raise OSError(reason) from error
    return pixels if pixels.ndim == 3 else pixels[:, :, None]


def _known(module):
    module.init()
    return [name for name in _FORMATS if name in module.OPEN]


def _is_empty(path):
    return path.is_file() and path.stat().st_size == 0


def _eight_bits(image):
    """The same picture in mode L, LA, RGB, RGBA or CMYK."""
    from PIL import Image

    if image.mode == "F" or image.mode.startswith("I"):
        array = np.asarray(image)
        high = 1.0 if image.mode == "F" else 65_535
        if not (array.min() >= 0 and array.max() <= high):
            raise ValueError("range")
        scaled = array * 255.0 if image.mode == "F" else array.astype("int64") >> 8
        plain = Image.fromarray(np.round(scaled).astype("uint8"))
        plain.info.update({k: v for k, v in image.info.items() if k == "gamma"})
        return plain
    if "transparency" in image.info:
        return image.convert("LA" if image.mode in ("1", "L") else "RGBA")
    if image.mode in ("L", "LA", "RGB", "RGBA", "CMYK"):
        return image
    if image.mode == "1":
        return image.convert("L")
    return image.convert("RGBA" if image.mode in ("PA", "RGBa", "La") else "RGB")


def _to_screen(image):
    """The picture with the colours that its profile or gamma says, as sRGB."""
    profile = image.info.get("icc_profile")
    if profile:
        image = _from_profile(image, profile)
    if image.mode == "CMYK":
        return image.convert("RGB")
    gamma = image.info.get("gamma")
    # A file that says sRGB or has a profile says its gamma for old programs only.
    if profile or not gamma or "srgb" in image.info:
        return image
    power = 1 / (gamma * _SCREEN_GAMMA)
    if abs(power - 1) < 0.05:
        return image
    table = np.round(255 * np.linspace(0, 1, 256) ** power).astype(int).tolist()
    straight = list(range(256))
    bands = image.getbands()
    return image.point([n for b in bands for n in (straight if b == "A" else table)])


def _from_profile(image, profile):
    from PIL import ImageCms

    mode = {"L": "L", "LA": "L", "RGBA": "RGB"}.get(image.mode, image.mode)
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = own.profile.xcolor_space.strip()
        if {"GRAY": "L"}.get(space, space) != mode:
            return image  # viewers pass over a profile of other colours, too
        alpha = image.getchannel("A") if "A" in image.getbands() else None
        colours = image if alpha is None else image.convert(mode)
        shown = ImageCms.profileToProfile(
            colours, own, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except (ImageCms.PyCMSError, OSError):
        return image  # a damaged profile
    shown = shown.convert("L") if mode == "L" else shown
    if alpha is not None:
        shown.putalpha(alpha)
    return shown
