"""`retinula reconstruct`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retinula.cli.terminal import AsJson, counting, remark, say, say_json
from retinula.cli.trained import RunOrModel, trained_model
from retinula.errors import InputError
from retinula.files.durable import check_folder

if TYPE_CHECKING:
    from retinula.prediction.references import Reference
    from retinula.reconstruction import Code, Reconstruction
    from retinula.trained.model_file import Model


def reconstruct(
    run: RunOrModel,
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...",
            help="Pictures of any size, folders, patterns, or - for standard input; or codes (.npy, .npz) to decode.",
        ),
    ],
    noise: Annotated[
        float,
        typer.Option(
            metavar="DEVIATION", help="Add Gaussian noise of this deviation first, on the scale 0..1.", min=0, max=1
        ),
    ] = 0.0,
    seed: Annotated[int, typer.Option(metavar="N", help="Of the noise.", min=0)] = 0,
    codes: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write the code: float32 [K, h, w] as .npy; of several pictures by name as .npz."
        ),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the pictures go.")] = Path("reconstructed"),
    as_json: AsJson = False,
) -> None:
    """Put pictures through a network that gives pictures back.

    Measures what is lost or gained.
    """
    check_folder(out)
    model = trained_model(run)
    from retinula.prediction.references import find_pictures
    from retinula.reconstruction import CODE_FILES, check_code_file, read_codes, reconstructing

    reconstructing(model)  # refuses a classifier before anything is looked for
    to_decode = [source for source in sources if Path(source).suffix in CODE_FILES]
    photos = [source for source in sources if source not in to_decode]
    if to_decode and (noise or codes):
        raise InputError(f"{to_decode[0]} is a code: --noise and --codes go with pictures")
    # Everything is looked at before anything is written.
    found = [(source, name, code) for source in to_decode for name, code in read_codes(Path(source), model).items()]
    references = find_pictures(photos) if photos else []
    if codes:
        check_code_file(codes, len(references))
    if found:
        _decode(model, found, out, as_json)
    if references:
        _reconstruct(model, references, noise, seed, codes, out, as_json)


def _reconstruct(
    model: "Model",
    references: "list[Reference]",
    noise: float,
    seed: int,
    codes: Path | None,
    out: Path,
    as_json: bool,
) -> None:
    from retinula.datasets.unpack import safe_names
    from retinula.reconstruction import reconstruct_files, side_by_side, write_codes, write_picture

    names = safe_names("picture" if each.src == "-" else Path(each.src).stem for each in references)
    found: dict[str, Code] = {}
    done = 0
    results = reconstruct_files(model, references, noise=noise, seed=seed, with_codes=codes is not None)
    with counting() as progress:
        for number, (name, (reference, result)) in enumerate(zip(names, results, strict=True), start=1):
            if isinstance(result, str):
                if as_json:
                    say_json({"src": reference.src, "skipped": result})
                remark(f"skipped {reference.src}: {result}")
                continue
            done += 1
            picture, compared = out / f"{name}-reconstructed.png", out / f"{name}-compared.png"
            write_picture(picture, result.result)
            shown = (result.original, result.noised, result.result)
            write_picture(compared, side_by_side(image for image in shown if image is not None))
            if result.code is not None:
                found[name] = result.code
            _say(reference.src, result, noise, picture, compared, as_json)
            progress("reconstructing", number, len(references))
    if not done:
        raise InputError("no picture could be read")
    if codes:
        write_codes(codes, found)
        remark(f"written {codes}")
    remark(f"drawn into {out}")


def _decode(model: "Model", codes: "list[tuple[str, str, Code]]", out: Path, as_json: bool) -> None:
    from retinula.datasets.unpack import safe_names
    from retinula.reconstruction import decode_code, write_picture

    # Named together, so that codes of the same name in several files do not overwrite each other.
    files = safe_names(name for _, name, _ in codes)
    for file, (source, name, code) in zip(files, codes, strict=True):
        image, path = decode_code(model, code), out / f"{file}-decoded.png"
        write_picture(path, image)
        _, height, width = image.shape
        if as_json:
            say_json({"src": source, "name": name, "height": height, "width": width, "result": str(path)})
        else:
            say(f"{source}: {name} decoded to {width} x {height} pixels, {path}")


def _say(src: str, result: "Reconstruction", noise: float, picture: Path, compared: Path, as_json: bool) -> None:
    if as_json:
        _, height, width = result.original.shape
        say_json(
            {
                "src": src,
                "height": height,
                "width": width,
                "noise": noise,
                "psnr_noised": result.psnr_noised,
                "ssim_noised": result.ssim_noised,
                "psnr": result.psnr,
                "ssim": result.ssim,
                "result": str(picture),
                "compared": str(compared),
            }
        )
        return
    line = f"{src}: PSNR {result.psnr:.2f} dB, SSIM {result.ssim:.4f}"
    if result.psnr_noised is not None:
        line += f" (with noise of {noise:g}: {result.psnr_noised:.2f} dB, {result.ssim_noised:.4f})"
    say(line)
