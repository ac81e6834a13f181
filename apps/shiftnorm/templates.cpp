#include "templates.hpp"

namespace shiftnorm::app {
namespace {

constexpr std::string_view kImageNet = R"(# An experiment on photographs with a network trained on ImageNet.
# Check it with:  shiftnorm run imagenet.yaml --dry-run      Run it with:  shiftnorm run imagenet.yaml
name: imagenet                        # results go to runs/imagenet unless --out
seed: 7                               # of everything that is drawn: shuffles, resamples, limits

model:
  checkpoint: resnet50.pth            # .pth, .th or .safetensors; paths are relative to this file, or to --root
  architecture: resnet50              # the file holds weights only; `shiftnorm inspect FILE` shows what is in it

preprocess: imagenet                  # resize 256, centre crop 224, x/255, ImageNet mean and std; or the steps in full:
#  - {resize: 256, interpolation: bilinear, antialias: true}
#  - {center_crop: 224}
#  - to_float: {scale: 255}
#  - normalize: {mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}

data:
  target:
    path: images                      # class folders with JPEG, PNG, TIFF, BMP, WebP or PPM files; without class folders: no labels
    # limit: {per_class: 50}          # or {images: 1000}
  # classes: classes.txt              # names in the order of the network's outputs; default: the sorted folder names

modes:                                # what BatchNorm does; `source` first, so that the others are compared with it
  - source                            # the statistics of the file
  - adabn                             # re-estimated on the target, layer by layer
  - {name: blend16, policy: blend, prior_images: 16}   # the source counts as 16 images
  - disabled                          # no normalisation, learned weights kept

evaluate:
  metrics: [accuracy, balanced_accuracy, ece, nll]
  interval: {method: bootstrap, resamples: 2000, level: 0.95}

export: {mode: adabn, path: adapted.pth}   # same format as the checkpoint; only BatchNorm vectors differ
)";

constexpr std::string_view kDicom =
    R"(# An experiment on a hospital's radiographs: DICOM objects, labels in a spreadsheet.
# Check it with:  shiftnorm run dicom.yaml --dry-run      Run it with:  shiftnorm run dicom.yaml
name: radiographs                     # results go to runs/radiographs unless --out
seed: 7                               # of everything that is drawn: splits, shuffles, resamples, limits

model:
  checkpoint: densenet121.pth         # .pth, .th or .safetensors; paths are relative to this file, or to --root
  architecture: densenet121           # the file holds weights only; `shiftnorm inspect FILE` shows what is in it

preprocess: cxr-chexnet               # must be what the network was trained with; its first step says how stored values
                                      # become a picture (configs/presets)

data:
  target:
    path: archive                     # a folder of DICOM objects, whatever they are called; zip archives too
    labels: labels.csv                # one row per key; images without a row are measured, not scored
    key: AccessionNumber              # or SOPInstanceUID, StudyInstanceUID, [PatientID, StudyDate], path ..
    label: finding                    # a column of class names, or a list of columns with 0 and 1: [Edema, Nodule]
    # where: {Modality: [CR, DX], ViewPosition: [PA, AP]}
    # domain: ManufacturerModelName   # separate statistics for each scanner
    # limit: {images: 1000}           # drawn with the seed

protocol: {kind: held_out, adapt: 0.5, by: patient}   # or transductive: measured and scored on the same images

modes:                                # what BatchNorm does; `source` first, so that the others are compared with it
  - source                            # the statistics of the file: the other hospital's
  - adabn                             # re-estimated on these images, layer by layer
  - {name: blend16, policy: blend, prior_images: 16}   # safer with few images: the source counts as 16
  - {name: update-bn, policy: adabn, semantics: batch, estimator: batch-mean, batch: 32}   # PyTorch's update_bn

evaluate:
  metrics: [accuracy, balanced_accuracy, ece, nll]
  interval: {method: bootstrap, by: patient, resamples: 2000, level: 0.95}   # images of one patient are drawn together
  # subgroups: [ViewPosition, ManufacturerModelName]   # scored separately

export: {mode: adabn, path: adapted.pth}   # of 11 patients or more; only BatchNorm vectors differ from the checkpoint
)";

constexpr std::string_view kCifar10 = R"(# An experiment on small images with a CIFAR-10 network.
# Check it with:  shiftnorm run cifar10.yaml --dry-run      Run it with:  shiftnorm run cifar10.yaml
name: cifar10                         # results go to runs/cifar10 unless --out
seed: 7                               # of everything that is drawn: shuffles, resamples, limits

model:
  checkpoint: resnet20.th             # .pth, .th or .safetensors; paths are relative to this file, or to --root
  architecture: cifar_resnet20        # the file holds weights only; `shiftnorm inspect FILE` shows what is in it

preprocess: cifar10                   # x/255, then ImageNet mean and std, no resize

data:
  target:
    path: cifar10/test                # ten class folders of 32 x 32 images
    limit: {per_class: 50}            # the first 50 of each class

modes:                                # what BatchNorm does; `source` first, so that the others are compared with it
  - source                            # the statistics of the file
  - adabn                             # re-estimated on the target, layer by layer
  - {name: blend16, policy: blend, prior_images: 16}   # the source counts as 16 images
  - {name: torch-update-bn, policy: adabn, semantics: batch, estimator: batch-mean, batch: 50, shuffle: off}
  - disabled                          # no normalisation, learned weights kept
  - identity                          # no BatchNorm at all

evaluate:
  metrics: [accuracy, balanced_accuracy, ece, nll]
  interval: {method: bootstrap, resamples: 2000, level: 0.95}

# sweep:                              # many runs: the product of the lists, with their own page and heat maps
#   data.target.shift: [{}, {gaussian_noise: 3}, {contrast: 3}]     # {}: the images as they are
#   seed: [1, 2, 3]

export: {mode: adabn, path: adapted.th}    # same format as the checkpoint; only BatchNorm vectors differ
)";

constexpr Template kTemplates[] = {{"cifar10", kCifar10}, {"dicom", kDicom}, {"imagenet", kImageNet}};

}  // namespace

std::span<const Template> templates() { return kTemplates; }

}  // namespace shiftnorm::app
