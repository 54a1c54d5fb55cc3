/* The upper tail of the hypergeometric distribution, without tables and without cancellation.

   The first term comes from the saddle-point expansion of the binomial (C. Loader, Fast and accurate computation of binomial
   probabilities, 2000): log x! = Stirling's formula + a small remainder, and x log(x/m) + m - x is evaluated as a deviance, so
   no two large logarithms are ever subtracted. The other terms follow by the ratio of neighbours, on the shorter side. */

#include "kernels.h"

#include <math.h>

static const double TINY = 1e-17;

/* log x! - log(sqrt(2 pi x) (x/e)^x) */
static double stirling_remainder(double x)
{
    if (x < 16.0)
        return lgamma(x + 1.0) - (x + 0.5) * log(x) + x - 0.91893853320467274178;
    double y = 1.0 / (x * x);
    return (1.0 / 12 - y * (1.0 / 360 - y * (1.0 / 1260 - y * (1.0 / 1680 - y * (1.0 / 1188 - y * 691.0 / 360360))))) / x;
}

/* x log(x/m) + m - x, with all digits also where x is close to m */
static double deviance(double x, double m)
{
    double d = x - m;
    if (fabs(d) >= 0.1 * (x + m))
        return x * log(x / m) - d;
    double v = d / (x + m);
    double term = 2.0 * x * v;
    double sum = d * v;
    for (int j = 3;; j += 2) {
        term *= v * v;
        double next = sum + term / j;
        if (next == sum)
            return sum;
        sum = next;
    }
}

/* log of C(n, x) p^x q^(n-x) */
static double log_binomial(double x, double n, double p, double q)
{
    if (x == 0.0)
        return n * (p < 0.5 ? log1p(-p) : log(q));
    if (x == n)
        return n * (q < 0.5 ? log1p(-q) : log(p));
    double rest = n - x;
    return stirling_remainder(n) - stirling_remainder(x) - stirling_remainder(rest) - deviance(x, n * p) - deviance(rest, n * q) +
           0.5 * log(n / (6.28318530717958647692 * x * rest));
}

static double point(double k, double good, double drawn, double population)
{
    double p = drawn / population;
    double q = (population - drawn) / population;
    return exp(log_binomial(k, good, p, q) + log_binomial(drawn - k, population - good, p, q) -
               log_binomial(drawn, population, p, q));
}

static double tail(double k, double good, double drawn, double population)
{
    double least = fmax(0.0, good + drawn - population);
    double most = fmin(good, drawn);
    if (k <= least)
        return 1.0;
    double spare = population - good - drawn;
    if (k > (good / population) * drawn) {
        double term = 1.0, sum = 1.0;
        for (double x = k; x < most && term > TINY * sum; x += 1.0) {
            term *= (good - x) * (drawn - x) / ((x + 1.0) * (spare + x + 1.0));
            sum += term;
        }
        return fmin(1.0, sum * point(k, good, drawn, population));
    }
    double term = 1.0, sum = 1.0;
    for (double x = k - 1.0; x > least && term > TINY * sum; x -= 1.0) {
        term *= x * (spare + x) / ((good - x + 1.0) * (drawn - x + 1.0));
        sum += term;
    }
    return fmax(0.0, 1.0 - sum * point(k - 1.0, good, drawn, population));
}

void hypergeometric_tail(int64_t n, const int64_t *k, const int64_t *good, const int64_t *drawn, const int64_t *population,
                         double *out)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = tail((double)k[i], (double)good[i], (double)drawn[i], (double)population[i]);
}
