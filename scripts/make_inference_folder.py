"""Export a FairMOT of PaddleDetection with random weights, as its `tools/export_model.py` does.

    python scripts/make_inference_folder.py FOLDER [--old]

FOLDER gets `infer_cfg.yml`, `model.pdiparams`, `model.json` (or `model.pdmodel`, the form of paddle 2, with --old), and
the same weights as `weights.npz`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

CONFIG = """\
mode: paddle
draw_threshold: 0.5
metric: MOT
use_dynamic_shape: false
tracker:
  conf_thres: 0.4
  tracked_thresh: 0.4
  metric_type: cosine
  min_box_area: 100
  vertical_ratio: 0
arch: FairMOT
min_subgraph_size: 5
Preprocess:
- target_size: [96, 160]
  type: LetterBoxResize
- is_scale: true
  mean: [0, 0, 0]
  std: [1, 1, 1]
  type: NormalizeImage
- type: Permute
label_list:
- person
"""


def main(folder: Path, old: bool) -> None:
    """Write the folder."""
    if old:
        os.environ["FLAGS_enable_pir_api"] = "0"  # noqa: SIM112, read when paddle is imported
    import numpy as np

    from fairmot_lab._paddle import import_paddle, silence
    from fairmot_lab.detection.fairmot import random_weights
    from fairmot_lab.detection.letterbox import letterbox
    from fairmot_lab.detection.onnx import _photograph

    paddle = import_paddle()
    with silence():
        from ppdet.modeling.architectures.centernet import CenterNet
        from ppdet.modeling.architectures.fairmot import FairMOT
        from ppdet.modeling.backbones.dla import DLA
        from ppdet.modeling.heads.centernet_head import CenterNetHead
        from ppdet.modeling.losses.fairmot_loss import FairMOTLoss
        from ppdet.modeling.mot.tracker.jde_tracker import JDETracker
        from ppdet.modeling.necks.centernet_fpn import CenterNetDLAFPN
        from ppdet.modeling.post_process import CenterNetPostProcess
        from ppdet.modeling.reid.fairmot_embedding_head import FairMOTEmbeddingHead

    folder.mkdir(parents=True, exist_ok=True)
    tensors = random_weights("dla34", letterbox(_photograph(), (160, 96))[0])
    tensors["detector.head.size.2.conv.bias"] += 3
    np.savez(folder / "weights.npz", **tensors)
    detector = CenterNet(
        DLA(34),
        CenterNetDLAFPN([16, 32, 64, 128, 256, 512], out_channel=0),
        CenterNetHead(64, num_classes=1),
        CenterNetPostProcess(max_per_img=50),
        for_mot=True,
    )
    network = FairMOT(detector, FairMOTEmbeddingHead(64), JDETracker(), FairMOTLoss())
    network.set_state_dict(tensors)
    network.eval()
    spec = paddle.static.InputSpec
    inputs = {"image": [1, 3, 96, 160], "im_shape": [1, 2], "scale_factor": [1, 2]}
    specs = [{name: spec(shape, "float32", name) for name, shape in inputs.items()}]
    with silence():
        program = paddle.jit.to_static(network, input_spec=specs, full_graph=True)
        paddle.jit.save(program, str(folder / "model"))
    (folder / "infer_cfg.yml").write_text(CONFIG)


if __name__ == "__main__":
    main(Path(sys.argv[1]), "--old" in sys.argv[2:])
