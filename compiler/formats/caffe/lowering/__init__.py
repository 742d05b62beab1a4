"""Lowering of a Caffe net to ONNX, layer by layer, with what a layer does while testing."""

from __future__ import annotations

from collections.abc import Callable

from subcut.compiler.formats.caffe.lowering import (
    axes,
    detection,
    evaluation,
    forks,
    losses,
    multibox,
    neurons,
    proposal,
    quantisation,
    recurrent,
    windows,
)
from subcut.compiler.formats.caffe.lowering.program import Lowered

Rule = Callable[[Lowered], None]

RULES: dict[str, Rule] = {
    # BVLC Caffe
    "AbsVal": neurons.absval,
    "Accuracy": losses.accuracy,
    "ArgMax": axes.argmax,
    "BNLL": neurons.bnll,
    "BatchNorm": neurons.batch_norm,
    "BatchReindex": axes.batch_reindex,
    "Bias": neurons.bias,
    "Clip": neurons.clip,
    "Concat": axes.concat,
    "ContrastiveLoss": losses.contrastive_loss,
    "Convolution": windows.convolution,
    "Crop": windows.crop,
    "Padding": windows.padding,
    "Deconvolution": windows.deconvolution,
    "Dropout": neurons.dropout,
    "ELU": neurons.elu,
    "Eltwise": neurons.eltwise,
    "Embed": axes.embed,
    "EuclideanLoss": losses.euclidean_loss,
    "Exp": neurons.exp,
    "Filter": axes.filter_,
    "Flatten": axes.reshape,
    "HingeLoss": losses.hinge_loss,
    "Im2col": windows.im2col,
    "InfogainLoss": losses.infogain_loss,
    "InnerProduct": axes.inner_product,
    "LRN": neurons.lrn,
    "LSTM": recurrent.lstm,
    "LSTMUnit": recurrent.lstm_unit,
    "Log": neurons.log,
    "MVN": neurons.mvn,
    "MultinomialLogisticLoss": losses.multinomial_loss,
    "PReLU": neurons.prelu,
    "Parameter": axes.parameter,
    "Pooling": windows.pooling,
    "Power": neurons.power,
    "RNN": recurrent.rnn,
    "ReLU": neurons.relu,
    "Reduction": axes.reduction,
    "Reshape": axes.reshape,
    "SPP": windows.spp,
    "Scale": neurons.scale,
    "Sigmoid": neurons.sigmoid,
    "SigmoidCrossEntropyLoss": losses.sigmoid_loss,
    "Slice": axes.slice_,
    "Softmax": neurons.softmax,
    "SoftmaxWithLoss": losses.softmax_loss,
    "Split": neurons.identity,
    "Swish": neurons.swish,
    "TanH": neurons.tanh,
    "Threshold": neurons.threshold,
    "Tile": axes.tile,
    # the SSD fork
    "DetectionEvaluate": evaluation.detection_evaluate,
    "DetectionOutput": detection.detection_output,
    "MultiBoxLoss": multibox.multibox_loss,
    "Normalize": neurons.normalize,
    "Permute": axes.permute,
    "PriorBox": detection.prior_box,
    "SmoothL1Loss": losses.smooth_l1_loss,
    # other forks, and AMCT's simulation of quantisation
    "AntiQuant": neurons.identity,
    "Axpy": forks.axpy,
    "ConvolutionDepthwise": windows.convolution,
    "DeQuant": quantisation.dequant,
    "DepthwiseConvolution": windows.convolution,
    "Interp": forks.interp,
    "PSROIPooling": forks.psroi_pooling,
    "Proposal": proposal.proposal,
    "Quant": quantisation.quant,
    "ROIPooling": forks.roi_pooling,
    "ReLU6": neurons.relu6,
    "Reorg": forks.reorg,
    "SearchN": neurons.identity,
    "ShuffleChannel": forks.shuffle_channel,
    "Upsample": forks.upsample,
}

SOURCES = frozenset(
    ["AnnotatedData", "Data", "DummyData", "HDF5Data", "ImageData", "Input", "MemoryData", "VideoData", "WindowData"]
)
"""Layers whose tops are inputs of the lowered net; a DummyData that fills in one number is a constant instead."""

REASONS = {
    "HDF5Output": "it only writes a file",
    "IFMR": "it has no tops",
    "Python": "it is code that is not part of the model",
    "Silence": "it has no tops",
}
"""Why a layer type cannot be lowered."""
