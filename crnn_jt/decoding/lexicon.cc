// The inner loops of lexicon decoding. Compiled at first use by native.py; lexicon.py has the same in numpy.
// Tries are flat arrays (trie.py); probabilities are (T, N, K) doubles, each step sums to 1 (the bound rests on it),
// and after an image's last step blank = 1 and all else 0, so that an image needs no length of its own.
#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

namespace {

struct Trie {
    const int32_t *symbol, *children, *word;
};

struct Row {  // a column of the edit-distance table as bit vectors (Myers 1999, Hyyrö 2003)
    int32_t node, depth, score;
    uint64_t up, down;
};

// Exact best word of one image, depth first. A prefix's probability (that a labelling begins with it) bounds every
// word below it (Graves 2006, prefix search), so whole subtrees fall away once one good word is known.
//
// Where words have weights that grow with their length, a long word's weight is no bound for a picture that has not so
// many symbols left: what follows a prefix can win at most `future`, whichever symbols it has.
struct Search {
    Trie trie;
    int steps;
    const double* weight;                   // of a word; null: all weigh 1
    const float *heaviest, *bare;           // of the words below a node, and without the growth in it
    double growth;                          // of a weight, for each symbol of its word
    std::vector<double> p;                  // one image, (K, T): a symbol's steps side by side
    std::vector<double> mass;               // of each symbol, over all steps
    std::vector<double> future{}, grown{};  // after t steps, (T+1); growth to the power of the depth
    double best = 0;
    int32_t winner = -1;
    int64_t visited = 0;
    std::vector<std::vector<double>> blank, symbol;  // by depth: mass after t steps, (T+1)
    struct Child {
        double bound;
        int32_t node;
    };
    std::vector<std::vector<Child>> order;

    // F(t, r) bounds the probability that r given symbols are new in the steps from t on: at each step a path stays, on
    // a blank or on its last symbol, or goes on to the next one, which is another. future[t] = max_r growth^r F(t, r).
    void look_ahead(int symbols, int most) {
        std::vector<double> chance(most + 1, 0.0);
        chance[0] = 1;
        for (int t = steps - 1; t >= 0; --t) {
            double first = 0, second = 0;
            for (int k = 1; k < symbols; ++k) {
                const double own = p[k * steps + t];
                if (own > first) second = first, first = own;
                else if (own > second) second = own;
            }
            double largest = 0;
            for (int r = std::min(most, steps - t); r >= 0; --r) {
                const double stay = chance[r], next = r ? chance[r - 1] : 0;
                chance[r] = p[t] * stay + std::max(first * stay + second * next, second * stay + first * next);
                largest = std::max(largest, grown[r] * chance[r]);
            }
            future[t] = largest;
        }
    }

    // Of the words below a child by its symbol's steps, given the masses of its parent.
    double bound(const double* b, const double* s, bool repeat, int k, int32_t child, int depth) const {
        double sum = 0, weighed = 0;
        const double *q = p.data() + k * steps, *f = future.data() + 1;
        for (int t = 0; t < steps; ++t) {
            const double own = q[t] * (repeat ? b[t] : b[t] + s[t]);
            sum += own, weighed += own * f[t];
        }
        return weight ? std::min(sum * heaviest[child], weighed * bare[child] * grown[depth]) : sum;
    }

    void enter(int depth, int k, bool repeat) {  // masses of a child at `depth` from its parent's
        const double *b = blank[depth - 1].data(), *s = symbol[depth - 1].data();
        double *cb = blank[depth].data(), *cs = symbol[depth].data();
        const double* q = p.data() + k * steps;
        cb[0] = cs[0] = 0;
        for (int t = 0; t < steps; ++t) {
            const double before = repeat ? b[t] : b[t] + s[t];
            cs[t + 1] = q[t] * (before + cs[t]);
            cb[t + 1] = p[t] * (cb[t] + cs[t]);
        }
    }

    void visit(int32_t node, int depth) {
        ++visited;
        const int32_t word = trie.word[node];
        const double score = (blank[depth][steps] + symbol[depth][steps]) * (weight && word >= 0 ? weight[word] : 1);
        if (word >= 0 && score > 0 && (score > best || (score == best && word < winner))) best = score, winner = word;
        if (depth >= steps) return;
        auto& list = order[depth];
        list.clear();
        double highest = 0;  // no child's bound is above this times its symbol's mass: most need no look at their steps
        for (int t = 0; t < steps; ++t) highest = std::max(highest, blank[depth][t] + symbol[depth][t]);
        for (int32_t c = trie.children[node]; c < trie.children[node + 1]; ++c) {
            const int k = trie.symbol[c];
            if (highest * mass[k] * (weight ? heaviest[c] : 1) * (1 + 1e-6) < best) continue;
            const bool repeat = k == trie.symbol[node];
            list.push_back({bound(blank[depth].data(), symbol[depth].data(), repeat, k, c, depth + 1), c});
        }
        std::sort(list.begin(), list.end(), [](const Child& a, const Child& b) { return a.bound > b.bound; });
        for (size_t i = 0; i < list.size(); ++i) {
            const Child child = list[i];
            if (child.bound * (1 + 1e-9) < best || child.bound <= 0) return;
            const int k = trie.symbol[child.node];
            enter(depth + 1, k, k == trie.symbol[node]);
            visit(child.node, depth + 1);
        }
    }
};

// Prefix beam search (Hannun et al., 2014): a tree of the prefixes that were ever kept or tried.
struct Beam {
    struct Prefix {
        int32_t parent, symbol, before;
        double prior;
        int32_t child, sibling;  // the last child, and the one before this: -1 where there is none
    };
    struct Mass {
        int32_t node;
        double blank, symbol, rank;
    };
    const double* guide;  // (K, K, K): factor of a symbol, the last one, after the two before it; null: all 1
    int symbols;
    std::vector<Prefix> tree{{-1, 0, 0, 1.0, -1, -1}};
    std::vector<int32_t> place;  // of a node in `grown`, or -1
    std::vector<Mass> kept{{0, 1.0, 0.0, 1.0}}, grown;

    int32_t child(int32_t node, int k) {
        const Prefix& parent = tree[node];
        for (int32_t c = parent.child; c >= 0; c = tree[c].sibling)
            if (tree[c].symbol == k) return c;
        const double factor = guide ? guide[(int64_t(parent.before) * symbols + parent.symbol) * symbols + k] : 1;
        const int32_t made = int32_t(tree.size());
        tree.push_back({node, k, parent.symbol, parent.prior * factor, -1, parent.child});
        tree[node].child = made;
        return made;
    }

    void add(int32_t node, double blank, double symbol) {
        if (place.size() < tree.size()) place.resize(2 * tree.size(), -1);
        if (place[node] < 0) place[node] = int32_t(grown.size()), grown.push_back({node, 0, 0, 0});
        grown[place[node]].blank += blank, grown[place[node]].symbol += symbol;
    }

    void step(const double* p, const std::vector<int>& tried, size_t width) {
        grown.clear();
        for (const Mass& mass : kept) {
            const int last = tree[mass.node].symbol;
            add(mass.node, (mass.blank + mass.symbol) * p[0], last ? mass.symbol * p[last] : 0);
            for (const int k : tried)
                add(child(mass.node, k), 0, (k == last ? mass.blank : mass.blank + mass.symbol) * p[k]);
        }
        for (Mass& mass : grown) {
            place[mass.node] = -1;
            mass.rank = (mass.blank + mass.symbol) * tree[mass.node].prior;
        }
        const auto end = grown.begin() + std::min(width, grown.size());
        std::partial_sort(grown.begin(), end, grown.end(), [](const Mass& a, const Mass& b) {
            return a.rank > b.rank || (a.rank == b.rank && a.node < b.node);
        });
        kept.assign(grown.begin(), end);
    }
};

}  // namespace

extern "C" {

// Words within `delta` edits of query (m symbols, m <= 64): their numbers and distances; returns how many.
int64_t nearest(const int32_t* symbol, const int32_t* children, const int32_t* word, const int32_t* height,
                const int32_t* query, int m, int symbols, int delta, int32_t* words, int32_t* distances) {
    std::vector<uint64_t> match(symbols, 0);
    for (int i = 0; i < m; ++i) match[query[i]] |= 1ull << i;
    const uint64_t top = m ? 1ull << (m - 1) : 0;
    int64_t found = 0;
    std::vector<Row> stack{{0, 0, m, ~0ull, 0}};
    while (!stack.empty()) {
        const Row row = stack.back();
        stack.pop_back();
        if (word[row.node] >= 0 && row.score <= delta) words[found] = word[row.node], distances[found++] = row.score;
        for (int32_t c = children[row.node]; c < children[row.node + 1]; ++c) {
            const uint64_t eq = match[symbol[c]];
            const uint64_t diagonal = (((eq & row.up) + row.up) ^ row.up) | eq | row.down;
            uint64_t across_up = row.down | ~(diagonal | row.up), across_down = row.up & diagonal;
            const int depth = row.depth + 1;
            const int score = m ? row.score + ((across_up & top) != 0) - ((across_down & top) != 0) : depth;
            if (score - (std::min(height[c], m + delta) - depth) > delta || depth > m + delta) continue;
            across_up = (across_up << 1) | 1;
            across_down <<= 1;
            stack.push_back({c, depth, score, across_down | ~(diagonal | across_up), across_up & diagonal});
        }
    }
    return found;
}

// CTC forward sums of `pairs` words, each on its image: words flat, the word of pair i at starts[i], sizes[i] long.
void forward(const double* p, int steps, int images, int symbols, int64_t pairs, const int32_t* rows,
             const int32_t* flat, const int64_t* starts, const int32_t* sizes, double* out) {
    std::vector<double> alpha;
    const int stride = images * symbols;
    for (int64_t i = 0; i < pairs; ++i) {
        const int32_t* word = flat + starts[i];
        const int size = sizes[i];
        const double* q = p + rows[i] * symbols;
        alpha.assign(2 * size + 1, 0.0);
        alpha[0] = 1;
        for (int t = 0; t < steps; ++t, q += stride) {
            const int last = std::min(size - 1, t);  // symbols that can have been reached
            alpha[2 * size] = q[0] * (alpha[2 * size] + (size ? alpha[2 * size - 1] : 0));
            for (int j = last; j >= 0; --j) {
                const double jump = j && word[j] != word[j - 1] ? alpha[2 * j - 1] : 0;
                if (j + 1 < size) alpha[2 * j + 2] = q[0] * (alpha[2 * j + 2] + alpha[2 * j + 1]);
                alpha[2 * j + 1] = q[word[j]] * (alpha[2 * j + 1] + alpha[2 * j] + jump);
            }
            if (size) alpha[0] *= q[0];
        }
        out[i] = alpha[2 * size] + (size ? alpha[2 * size - 1] : 0);
    }
}

// The best word of each image: its number (-1: none possible) and its scaled score, times its weight where words have
// weights, and it is above the image's floor where there are floors; returns the nodes visited.
int64_t best(const int32_t* symbol, const int32_t* children, const int32_t* word, const double* weight,
             const float* heaviest, const float* bare, double growth, const double* floors, int deepest,
             const double* p, int steps, int images, int symbols, int32_t* winners, double* scores) {
    const int levels = std::min(deepest, steps) + 1;
    Search search{
        {symbol, children, word}, steps, weight, heaviest, bare, growth, std::vector<double>(symbols * steps)};
    search.mass.resize(symbols);
    search.future.assign(steps + 1, 1.0);
    for (int depth = 0; depth <= levels; ++depth) search.grown.push_back(depth ? search.grown.back() * growth : 1);
    search.blank.assign(levels, std::vector<double>(steps + 1));
    search.symbol.assign(levels, std::vector<double>(steps + 1, 0.0));
    search.order.resize(levels);
    for (int n = 0; n < images; ++n) {
        for (int t = 0; t < steps; ++t)
            for (int k = 0; k < symbols; ++k) search.p[k * steps + t] = p[(int64_t(t) * images + n) * symbols + k];
        for (int k = 0; k < symbols; ++k) {
            const double* own = search.p.data() + k * steps;
            search.mass[k] = std::accumulate(own, own + steps, 0.0);
        }
        if (weight) search.look_ahead(symbols, levels - 1);
        auto& b = search.blank[0];
        b[0] = 1;
        for (int t = 0; t < steps; ++t) b[t + 1] = b[t] * search.p[t];
        search.best = floors ? floors[n] : 0, search.winner = -1;
        search.visit(0, 0);
        winners[n] = search.winner, scores[n] = search.best;
    }
    return search.visited;
}

// The likeliest readings of each image, best first: `width` at most, words (N, width, longest) filled up with zeros,
// sizes (N, width), -1 where there are fewer. At each step symbols below `floor` are not tried. Longer readings than
// `longest` symbols are left out.
void beams(const double* p, int steps, int images, int symbols, const double* guide, int width, double floor,
           int longest, int32_t* words, int32_t* sizes) {
    std::vector<int> tried;
    for (int n = 0; n < images; ++n) {
        Beam beam{guide, symbols};
        for (int t = 0; t < steps; ++t) {
            const double* q = p + (int64_t(t) * images + n) * symbols;
            tried.clear();
            for (int k = 1; k < symbols; ++k)
                if (q[k] >= floor) tried.push_back(k);
            beam.step(q, tried, size_t(width));
        }
        int found = 0;
        for (const auto& mass : beam.kept) {
            std::vector<int32_t> reversed;
            for (int32_t node = mass.node; node; node = beam.tree[node].parent)
                reversed.push_back(beam.tree[node].symbol);
            if (int(reversed.size()) > longest || mass.blank + mass.symbol <= 0) continue;
            int32_t* word = words + (int64_t(n) * width + found) * longest;
            std::copy(reversed.rbegin(), reversed.rend(), word);
            sizes[int64_t(n) * width + found++] = int32_t(reversed.size());
        }
    }
}
}
