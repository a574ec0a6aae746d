"""Where methods were published, as DOI or arXiv number where they have one."""

from collections.abc import Mapping

STUDY_OF_NOISE = "Wei, Kakade and Ma 2020, arXiv:2002.12915"
SRIVASTAVA = "Srivastava et al. 2014, Journal of Machine Learning Research 15, 1929-1958"

REGULARIZERS: Mapping[str, str] = {
    "dropout": SRIVASTAVA,
    "gaussian_dropout": SRIVASTAVA,
    "dropconnect": "Wan et al. 2013, ICML, PMLR 28(3), 1058-1066",
    "masksembles": "Durasov et al. 2021, arXiv:2012.08334",
    "pernodedrop": "PerNodeDrop, arXiv:2512.12663",
    "block_dropout": "Pal et al. 2020, arXiv:1910.14186",
    "shakeout": "Kang et al. 2018, arXiv:1904.06593",
    "standout": "Ba and Frey 2013, NeurIPS 26",
    "ninr": "Levi et al. 2022, arXiv:2210.15764",
    "tabu": "Hasan et al. 2022, arXiv:2501.00538",
    "variational_dropout": "Kingma et al. 2015, arXiv:1506.02557",
    "sparse_variational_dropout": "Molchanov et al. 2017, arXiv:1701.05369",
    "concrete_dropout": "Gal, Hron and Kendall 2017, arXiv:1705.07832",
    "r_drop": "Liang et al. 2021, arXiv:2106.14448",
    "averaged": STUDY_OF_NOISE,
    "explicit": STUDY_OF_NOISE,
    "implicit": STUDY_OF_NOISE,
    "explicit_implicit": STUDY_OF_NOISE,
    "spatial_dropout": "Tompson et al. 2015, arXiv:1411.4280",
    "drop_block": "Ghiasi et al. 2018, arXiv:1810.12890",
    "stochastic_depth": "Huang et al. 2016, arXiv:1603.09382",
    "zoneout": "Krueger et al. 2017, arXiv:1606.01305",
    "variational_rnn_dropout": "Gal and Ghahramani 2016, arXiv:1512.05287",
    "gradient_noise": "Neelakantan et al. 2015, arXiv:1511.06807",
}
SAMPLERS: Mapping[str, str] = {
    "tpe": "Watanabe 2023, arXiv:2304.11127",
    "cmaes": "Hansen and Ostermeier 2001, doi:10.1162/106365601750190398",
    "nsgaii": "Deb et al. 2002, doi:10.1109/4235.996017",
    "random": "Bergstra and Bengio 2012, Journal of Machine Learning Research 13, 281-305",
}
PRUNERS: Mapping[str, str] = {
    "hyperband": "Li et al. 2018, arXiv:1603.06560",
    "asha": "Li et al. 2020, arXiv:1810.05934",
    "successive_halving": "Li et al. 2020, arXiv:1810.05934",
    "median": "Golovin et al. 2017, doi:10.1145/3097983.3098043",
    "wilcoxon": "Wilcoxon 1945, doi:10.2307/3001968",
}
OPTUNA = "Akiba et al. 2019, doi:10.1145/3292500.3330701"
# Intervals by their method, and tests.
STATISTICS: Mapping[str, str] = {
    "studentized bootstrap": "Hall 1988, doi:10.1214/aos/1176350933",
    "moderated t": "Smyth 2004, doi:10.2202/1544-6115.1027",
    "friedman": "Friedman 1937, doi:10.1080/01621459.1937.10503522",
    "best": "Hsu 1984, Annals of Statistics 12, 1136-1144",
    "looks": "Lan and DeMets 1983, doi:10.1093/biomet/70.3.659",
    "nemenyi": "Demsar 2006, Journal of Machine Learning Research 7, 1-30",
}
