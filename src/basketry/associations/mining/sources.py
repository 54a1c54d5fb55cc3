"""Where the measures of rules come from, by the short names that their definitions give."""

from typing import Final

SOURCES: Final[dict[str, str]] = {
    "Aggarwal 1998": "C. C. Aggarwal & P. S. Yu, A new framework for itemset generation",
    "Agrawal 1993": "R. Agrawal, T. Imieliński & A. Swami, Mining association rules between sets of items in large databases",
    "Azé 2002": "J. Azé & Y. Kodratoff, Évaluation de la résistance au bruit de quelques mesures d'extraction de règles",
    "Balcázar 2013": "J. L. Balcázar, Formal and computational properties of the confidence boost of association rules; "
    "with the same consequent it also is the lift increase of López et al.",
    "Basketry": "defined here",
    "Bayardo 2000": "R. J. Bayardo, R. Agrawal & D. Gunopulos, Constraint-based rule mining in large, dense databases",
    "Benjamini 1995": "Y. Benjamini & Y. Hochberg, Controlling the false discovery rate",
    "Bernard 1996": "J.-M. Bernard & C. Charron, L'analyse implicative bayésienne",
    "Berzal 2002": "F. Berzal, I. Blanco, D. Sánchez & M.-A. Vila, Measuring the accuracy and interest of association "
    "rules: a new framework",
    "Brin 1997": "S. Brin, R. Motwani, J. D. Ullman & S. Tsur, Dynamic itemset counting and implication rules for market "
    "basket data; S. Brin, R. Motwani & C. Silverstein, Beyond market baskets",
    "Diatta 2007": "J. Diatta, H. Ralambondrainy & A. Totohasina, Towards a unifying probabilistic implicative normalized "
    "quality measure for association rules",
    "Geng 2006": "L. Geng & H. J. Hamilton, Interestingness measures for data mining: a survey",
    "Goodman 1954": "L. A. Goodman & W. H. Kruskal, Measures of association for cross classifications: lambda of Y given X",
    "Gras 1996": "R. Gras et al., L'implication statistique",
    "Hahsler 2007": "M. Hahsler & K. Hornik, New probabilistic interest measures for association rules; p is R. A. Fisher's "
    "exact test, one-sided",
    "Hofmann 2001": "H. Hofmann & A. Wilhelm, Visual comparison of association rules",
    "Kenett 2008": "R. Kenett & S. Salini, Relative linkage disequilibrium: a new measure for association rules",
    "Klösgen 1996": "W. Klösgen, Explora: a multipattern and multistrategy discovery assistant",
    "Kodratoff 1999": "Y. Kodratoff, Comparing machine learning and knowledge discovery in databases",
    "Lerman 1981": "I. C. Lerman, Classification et analyse ordinale des données",
    "MacLennan 2009": "J. MacLennan, Z. Tang & B. Crivat, Data mining with Microsoft SQL Server 2008",
    "McNicholas 2008": "P. D. McNicholas, T. B. Murphy & M. O'Regan, Standardising the lift of an association rule",
    "Ochin 2016": "Ochin, S. Kumar & N. Joshi, Rule power factor: a new interest measure in associative classification",
    "Omiecinski 2003": "E. R. Omiecinski, Alternative interest measures for mining associations in databases",
    "Piatetsky-Shapiro 1991": "G. Piatetsky-Shapiro, Discovery, analysis and presentation of strong rules",
    "Sebag 1988": "M. Sebag & M. Schoenauer, Generation of rules with certainty and confidence factors from incomplete and "
    "incoherent learning bases",
    "Smyth 1992": "P. Smyth & R. M. Goodman, An information theoretic approach to rule induction from databases",
    "Tan 2004": "P.-N. Tan, V. Kumar & J. Srivastava, Selecting the right objective measure for association analysis",
    "Wu 2010": "T. Wu, Y. Chen & J. Han, Re-examination of interestingness measures in pattern mining: a unified framework",
    "Yao 1999": "Y. Y. Yao & N. Zhong, An analysis of quantitative measures associated with rules",
    "Zhang 2000": "T. Zhang, Association rules",
}
