"""What the report says between its tables."""

INTRODUCTION = """\
Written by `benchmarks/deepfaith` from `runs.jsonl`: `python -m benchmarks.deepfaith --data-dir
<folder>` (see the top of `__main__.py` for the folder). For each task and seed a small network is
trained and explained on test samples, by priors (explainers that ask the network for every
explanation), by controls, and by DeepFaith: a network that was trained on other samples and
explains in one pass. The class that is explained is the predicted one. Mean rank is the mean over
ten faithfulness metrics of the rank of the mean score, 1 for the best; intervals are 95 %
percentiles of a bootstrap over the samples; two explainers are tied if the interval of the
difference of their mean ranks holds 0. Scores of a test row that several seeds explain are averaged
before, so that it counts as one sample. `library` are the default definitions of
`FaithfulnessSuite`, `deepfaith` those of the paper's released code
(`FaithfulnessSuite.deepfaith`).\
"""

TERMS = """\
Features become 0 when removed, for explainers, metrics and training alike (tables: the median of
the training rows, or their mean on Adult; images: black; texts: the zero embedding). LIME and
KernelSHAP with the larger budget have no number; with seven columns it holds all subsets, so they
are exact. `[p]` explains the probability, the others the centred logit. IntGrad has 50 nodes,
SmoothGrad and ExpectedGradients 50 draws, all are seeded. Controls: *sum of priors* adds LIME,
LIME [p] and Occlusion [p], each divided by its norm, and is 0 where a feature equals its
baseline; *LIME [p], zero rule* has that 0 alone (left out where it changes nothing, as on
tables); *random* is noise.

*DeepFaith* is the library's preset of the local correlation loss for the kind of samples, trained
without supervision. On tables its network is told the explained class and returns coefficients that
are multiplied by the inputs, and tables with fewer than 8,000 training rows are filled up with rows
in which some columns come from another row. On images and texts it has scores of all classes, which
it learns from the same evaluations, and begins with the convolutions of the explained network. *The
paper's recipe* selects labels among the priors with the larger budget (cosine .9, the first of a
group; quantile .2 of all ten metrics; samples without survivor are dropped), scores in [0, 1],
Pearson, ten Bernoulli subsets, and Algorithm 1 by epochs (window 5, threshold 1e-4). The priors
that it imitates are better than those of the paper, which gives LIME and KernelSHAP 20 to 50
evaluations on tables and texts; it has far fewer samples than DeepFaith.\
"""

COST = """\
Processor time of one thread for one explanation in a batch of 50 (images and texts: 10), the
fastest of up to seven runs in turns; evaluations of the explained network in brackets. DeepFaith is
told the explained class; to find out which class is predicted takes one evaluation more.\
"""

SPEED = """\
*Cheapest prior of equal or better rank* is none where DeepFaith is ahead of all priors. It pays
after so many explanations: (subsets and training of DeepFaith) / (what that prior takes longer).\
"""

CONFIDENCE = """\
Rank correlation over test samples of the confidence (`ExplanationConfidence`) and the
faithfulness that ten metrics measure (mean of the standardised scores, `library / deepfaith`);
*random* is noise.\
"""

FALLBACK = """\
Mean faithfulness (mean rank in brackets) if the given share of the samples, those with the lowest
confidence, is explained by the best prior of the validation samples instead; `library`
definitions. *oracle* knows both faithfulnesses.\
"""

VARIANTS = """\
Each variant alone in the field of priors and controls: mean rank (place, `t` if tied with the
first; mean rank of the best other), and the ranks by metric with the library's definitions. Test
samples of seed 0.\
"""

CHOICE = """\
Mixtures of the loss: law of the subsets, scalar (the probability, if not said), weights; *few*
removes a tenth of the features (3 of 7 columns), *single* one at a time without centring.\
"""

HELD_OUT = """\
Mean rank by two metrics that neither chose the mixture (on validation samples) nor selected the
supervision; the last column selects with all ten. Library definitions, test samples of seed 0.\
"""

SAMPLES = """\
Training samples of DeepFaith, at the same number of steps.\
"""
