"""Text that says nothing: keys hit at random, one part repeated, filler text. Latin letters only; other scripts are not judged."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise
from typing import NamedTuple

from detectors.free_text import runs_of_letters

_PAIRS = (
    "bc bd bf bg bh bj bk bm bp bq bs bt bv bw bx bz cb cd cf cg cm cp cq cs cv cw cx df dh dj dm dq dw dx fb fc "
    "fg fh fj fk fm fn fp fq fv fw fx fz gb gc gf gj gp gq gw gx gz hb hc hd hf hg hh hk hp hq hx hz jb jc jf jg "
    "jh jj jm jp jq jr jt jw jx jy kf kg kj km kp kq kw kx kz lh lj lq lr lw lx lz mc mf mg mh mj mk mt mv mw mx "
    "mz nb nj np nw nx pb pc pd pg ph pj pk pm pn pq pv pw px py pz qa qb qc qd qe qf qg qh qj qk ql qm qn qp qq "
    "qr qs qv qw qx qy qz rj rq rx sb sf sg sj sx tf tg tp tx uj uq vb vc vd vf vg vh vj vk vm vp vq vt vu vw vx "
    "wb wd wf wg wj wk wl wm wp wq wt wu wv ww wx wz xa xb xf xg xh xj xk xl xm xn xo xq xr xs xv xw xx xy xz yf "
    "yq yx yy zf zq zs zx"
)
RARE = frozenset(tuple(pair) for pair in _PAIRS.split())
"""Pairs of letters with less than six in ten thousand in each of twelve European languages (word lists of the faker package)."""

_FILLER = frozenset(
    {"lorem", "ipsum", "dolor", "amet", "consectetur", "adipiscing", "elit", "tempor", "incididunt", "labore"}
)
_KEYS = "asdf sdfg dfgh fghj ghjk hjkl qwer wertyu wertzu rtyu rtzu tyui tzui zxcv yxcv xcvb cvbn vbnm lkjh kjhg poiu йцук фыва ячсм ываф олдж"
_ROWS = tuple(_KEYS.split())
_AGAIN = re.compile(r"(\w{2,6}?)\1{2,}|(\w)\2{11,}")
_BEGINS = re.compile(r"(.{2,6}?)\1\1|(.)\2{11}")  # of letters alone: the shortest that _AGAIN takes
_BEGINNING = 18  # letters of the longest of those
_LAUGHTER = frozenset("ahejioxk")

SHARE = 0.2
"""Share of rare pairs from which on letters are taken for random; of random ones it is a third, of words in any language below a tenth."""

LEAST_RARE = 4
"""Rare pairs that must be there at all."""


class Gibberish(NamedTuple):
    """kind: "filler text", "rows of keys", "one part again and again", "random letters"; letters: how many were judged."""

    kind: str
    letters: int


ENOUGH = 400
"""Characters that are judged: random letters show in a few words."""


def judge(text: str, least_letters: int, share: float) -> Gibberish | None:
    """None where the text is words, or too short, or in a script that cannot be judged."""
    words = runs_of_letters(text[:ENOUGH])
    folded = [word.casefold() for word in words]
    if len(_FILLER.intersection(folded)) >= 4:
        return Gibberish("filler text", sum(map(len, words)))
    letters = sum(map(len, words))
    if letters < least_letters:
        return None
    joined = "".join(folded)
    rows = [row for row in _ROWS if row in joined]
    odd = sum(len(word) for word in folded if any(row in word for row in rows)) if rows else 0
    if odd and odd >= share * letters:
        return Gibberish("rows of keys", letters)
    # what makes up so large a share of the letters begins before the others are through
    if _BEGINS.search(joined, 0, len(joined) - int(share * letters) + _BEGINNING):
        again = [match.group() for match in _AGAIN.finditer(joined)]
        if sum(len(part) for part in again if not _LAUGHTER.issuperset(part)) >= max(share * letters, least_letters):
            return Gibberish("one part again and again", letters)
    judged = " ".join([plain for word in words if len(word) >= 4 and not word.isupper() and (plain := _plain(word))])
    pairs = len(judged) - 2 * judged.count(" ") - 1
    if pairs < least_letters // 2:
        return None
    rare = sum(map(RARE.__contains__, pairwise(judged)))
    if rare >= LEAST_RARE and rare >= SHARE * pairs:
        return Gibberish("random letters", letters)
    return None


def _plain(word: str) -> str:
    """In small Latin letters; "" where there are letters that are no variants of Latin ones."""
    plain = word.casefold()
    if plain.isascii():
        return plain
    plain = "".join([c for c in unicodedata.normalize("NFKD", plain) if c.isascii()])
    return plain if len(plain) >= len(word) else ""
