"""What the report says between its tables."""

INTRODUCTION = """\
Written by `benchmarks/explainer_ranking` from `rankings.jsonl`:
`python -m benchmarks.explainer_ranking --data-dir <folder>` (see the top of `__main__.py` for the
folder). A small network is trained for each data set; explainers explain its predictions on test
samples drawn at random; ten metrics score every explanation. An explainer's rank by a metric is the
rank of its mean score (1 is best, equal means share their ranks), and the mean rank is over the ten
metrics. Intervals are 95 % percentiles of a bootstrap over the samples (2,000 draws, the same for
all explainers and metrics). Two explainers are tied if the interval of the difference of their mean
ranks holds 0.\
"""

TERMS = """\
Common to all data sets: the explained class is the predicted one; explainers explain its logit,
metrics read its probability; attributions are signed (but for Saliency, the absolute gradient) and
summed over the elements of a feature, as they come: the slopes (Gradient, SmoothGrad, Saliency,
GuidedBackprop, Deconvolution) are not multiplied by the input. 100 random subsets.
IntegratedGradients: 20 Gauss-Legendre nodes. SmoothGrad: 25 samples, noise .1. ExpectedGradients
and GradientShap: 50 draws from 100 training samples; DeepLiftShap: 16 of them. LRP: gamma rule
(.25) for convolutions, epsilon rule else. GradCAM: the last convolution, enlarged bilinearly. Names
are those of the library (Gradient to Occlusion, Random) or of Captum (Saliency to GuidedGradCam).
*Random* is Gaussian noise, *Inverted IG* is IntegratedGradients times -1.

Metrics, each as its own paper defines it: faithfulness correlation (FC) and infidelity (INF, scaled
by the best factor) over the subsets; faithfulness estimate (FE) and monotonicity correlation (MC)
over single removals; region perturbation (RP), deletion (DEL), insertion (INS) as curves of the
probability; positive and negative perturbation (POS, NEG) as curves of the accuracy with 10 to 90 %
removed; IROF over about 25 SLIC superpixels of each image, replaced by its mean colour (on the
table and on text over the same features as the others). Removed features become black, the mean of
the training rows, or the zero embedding.\
"""

FAMILIES = """\
Four of the ten metrics read the curve with the most relevant features removed first, so the plain
mean rank counts that question four times. Mean rank as it is / with each kind of probe counted once
(most relevant first; least relevant first; random subsets; single removals):\
"""

KINDS = """\
`papers` is the ranking above. `deepfaith` scores the same explanations by the definitions in
DeepFaith's released code (`FaithfulnessSuite.deepfaith`: curves without their start, ranked chunks,
curves frozen once the prediction changes, INF as a correlation). `other baseline` changes what
features become in the metrics (images: the mean training image; text: the mean embedding of the
text) and leaves the explanations as they are.\
"""

BUDGET = """\
KernelShap and Lime with more and more model evaluations, IntegratedGradients as the reference. Mean
ranks within this table (and the controls, not shown), mean scores, milliseconds per sample.\
"""

METRICS = """\
Spearman's correlation between the rankings of the explainers by two metrics, each read in its own
direction, all explainers and controls:

![Metrics](metrics.png)

The same within single samples (how alike two metrics order the explanations of one sample), mean
over samples and data sets:\
"""
