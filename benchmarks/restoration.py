"""A trained entry that takes noise away, beside BM3D and a median filter.

Run:  python train.py restore_photographs
      python -m pip install bm3d  # not in any extra: its licence is not commercial
      python benchmarks/restoration.py restore_photographs \
          runs/restore_photographs/preset

All are given the same noisy crops of the entry's test photograph, and BM3D the
deviation of the noise. It looks for pieces that resemble each other, so that it is also
given all crops as the one picture they lie side by side in, and its answer is cut.

Reference: Dabov et al. 2007, Image denoising by sparse 3-D transform-domain
collaborative filtering; colour by `bm3d_rgb` of the package of its authors
"""

import argparse

import numpy as np

WIDTH = 640  # pixels, of both photographs


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("entry", help="of the zoo, whose test is of one photograph")
    parser.add_argument("folder", help="its trained preset")
    return parser.parse_args()


def main():
    import keras_genai
    import zoo

    options = parse()
    entry = zoo.get(options.entry)
    splits = entry.splits()
    figures = entry.evaluate(keras_genai.from_preset(options.folder), splits)
    rows = {
        "nothing": figures["psnr_copy"],
        "median filter": figures["psnr_median"],
        **of_bm3d(splits.test, entry.source.keywords["condition"].deviation),
        options.entry: figures["psnr"],
    }
    print(f"| way | PSNR, dB, {len(splits.test['images'])} crops |\n|---|---|")
    for way, value in rows.items():
        print(f"| {way} | {value:.2f} |")


def of_bm3d(test, deviation):
    """dict of str to PSNR: of BM3D crop by crop, and of the whole picture."""
    try:
        from bm3d import bm3d_rgb
    except ModuleNotFoundError:
        print("bm3d is not installed: it is left out")
        return {}
    from keras_genai.evaluation.restoration import psnr

    truth, noisy = test["images"], test["condition"]
    alone = np.stack([bm3d_rgb(crop, deviation) for crop in noisy])
    together = apart(bm3d_rgb(side_by_side(noisy), deviation), noisy.shape)
    return {
        "BM3D, crop by crop": psnr(alone, truth),
        "BM3D, the whole picture": psnr(together, truth),
    }


def side_by_side(crops):
    """The picture `(H, W, 3)` that crops `(N, h, w, 3)` are of, row by row."""
    count, height, width, channels = crops.shape
    columns = WIDTH // width
    tiles = crops.reshape(count // columns, columns, height, width, channels)
    return tiles.swapaxes(1, 2).reshape(-1, columns * width, channels)


def apart(picture, shape):
    """The inverse of `side_by_side`."""
    count, height, width, channels = shape
    columns = WIDTH // width
    tiles = picture.reshape(count // columns, height, columns, width, channels)
    return tiles.swapaxes(1, 2).reshape(shape)


if __name__ == "__main__":
    main()
