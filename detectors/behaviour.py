"""Facts about what lies beyond the one request: what a visitor, a text or a campaign does over time, and what the world says of a mail domain or a
network's owner. They stand in an `Observation` like the facts of `detectors.observation`."""

from __future__ import annotations

import msgspec


class MailDomain(msgspec.Struct, frozen=True, tag_field="fact", tag="mail", gc=False):
    """What the DNS says of the domain of the lead's (first) e-mail address.

    exists    False where the name does not exist at all
    hosts     mail hosts, most preferred first, lower case, without the final dot, at most 8; "own" for hosts of the domain itself (also where it has
              an address and no mail host, RFC 5321 section 5.1), so that no lead's domain is in the record; () where no mail can arrive
    refuses   the domain says that it takes no mail (a null MX, RFC 7505)
    """

    exists: bool
    hosts: tuple[str, ...] = ()
    refuses: bool = False


class Similar(msgspec.Struct, frozen=True, tag_field="fact", tag="similar", gc=False):
    """How often the free text of this lead, or one nearly the same, was sent to this site within a day, whatever the form.

    seen      submissions with such a text, this one included
    networks  distinct neighbourhoods (/24 or /48) they came from, exact up to 64
    words     words that were compared; shorter texts are not, the fact is then None
    form      submissions of this form within a day, this one included: a text that most of them have is the form's own; 0 unknown
    known_s   seconds since this very text was first sent (30 days are looked back on); 0 now
    form_known_s  seconds since the form was first seen to be sent, as far back
    """

    seen: int
    networks: int
    words: int
    form: int = 0
    known_s: int = 0
    form_known_s: int = 0


class Journey(msgspec.Struct, frozen=True, tag_field="fact", tag="journey", gc=False):
    """How the visitor moves through the site.

    assets      pictures, styles and scripts of this site that the session was noted to fetch (not every one is); -1 where that is not known
    assets_usual  share of the site's visitors who fetch any within two minutes, in thousandths; -1 where too few were seen
    networks    distinct neighbourhoods a cookie session was seen from within a day; 0 where there is no cookie
    beats       intervals between the session's page views and posts that were measured
    beat_ms     their mean, in milliseconds
    beat_spread their spread (standard deviation divided by mean), in thousandths: a person is far from regular
    dwell_ms    milliseconds since the session's page view or post before this one; -1 where there was none or it is not known
    click_landed  of a submission: was the ad click id that it carries (in its fields or in Referer) seen on a page view; None where it carries
                none, and where that is not known
    second      of a submission: did the session see a second page before it; None where that is not known
    """

    assets: int = -1
    assets_usual: int = -1
    networks: int = 0
    beats: int = 0
    beat_ms: int = 0
    beat_spread: int = 0
    dwell_ms: int = -1
    click_landed: bool | None = None
    second: bool | None = None


class Cell(msgspec.Struct, frozen=True, gc=False):
    """One part of a campaign's traffic against its own past, in windows of one length: the one in which it differs most.

    name           what the part is and its value, for people: "campaign roofs", "publisher example.com", "creative 7113"
    clicks, usual, spread      clicks in the last window; median and scaled median absolute deviation of earlier ones
    engaged, engaged_usual     share of visitors who went on within two minutes, in thousandths, now and usually; -1 unknown
    deep           False: on to anything (parts of the page, a second page, a form); True: on to a second page or a form, where that share's fall is less
                   by chance
    windows        earlier windows that the baseline stands on; 0: there is none yet
    minutes        length of the window
    followed       visitors of the window on whom `engaged` stands
    made           of a flooded part: share of the clicks of the last twenty minutes (or of the last hour) that nobody made who goes on, in thousandths,
                   at least; -1 where that is not known
    """

    name: str
    clicks: int
    usual: int
    spread: int
    engaged: int = -1
    engaged_usual: int = -1
    windows: int = 0
    minutes: int = 0
    followed: int = 0
    deep: bool = False
    made: int = -1


class Campaign(msgspec.Struct, frozen=True, tag_field="fact", tag="campaign", gc=False):
    """The campaign this click belongs to, as a whole and by publisher and creative: `cells`, the broadest first. Parts that are too small to be
    followed are not there. Of a form post: the one cell of its form, whose clicks are posts, and whose engaged visitors are those that fetched parts
    of a page before, or (`deep`) saw a second page.

    local_hour hour of day (0-23) where the site's customers live; -1 unknown
    """

    cells: tuple[Cell, ...]
    local_hour: int = -1


class Pointer(msgspec.Struct, frozen=True, tag_field="fact", tag="pointer", gc=False):
    """How the pointer moved before the form was sent, as numbers made of the path; the path itself is not kept. Shares and spreads (standard
    deviation divided by mean) in thousandths. Reports that stand alone in time, as taps on a screen make them, are left out of all but `hold_ms`.

    moves, span_ms   reported moves, and the time from the first to the last
    interval_spread  of the times between moves
    step_spread      of the lengths of steps; -1 where they lie along the eight directions of a compass, as keys and switches steer a pointer
    still            share of moves that led nowhere, between moves that did
    repeated         share of the step that occurs most often
    reversals        share of turns by more than 90 degrees that directly follow another such turn
    turn_mrad        median turn between steps
    hold_ms          shortest time a button was held, -1 where none was
    movements        runs of moves without a pause and without a button held
    arrivals         of these, those that came to rest where the pointer was reported next
    arrival_speed    speed at arrival as a share of the movement's highest; -1 where fewer than three arrivals tell
    arrival_spread   spread of the lengths of steps within a movement, the same
    oblique, straight  movements along none of the eight directions, and those of them that keep to a line
    """

    moves: int
    span_ms: int = 0
    interval_spread: int = 0
    step_spread: int = 0
    still: int = 0
    repeated: int = 0
    reversals: int = 0
    turn_mrad: int = 0
    hold_ms: int = -1
    movements: int = 0
    arrivals: int = 0
    arrival_speed: int = -1
    arrival_spread: int = -1
    oblique: int = 0
    straight: int = 0


class Company(msgspec.Struct, frozen=True, tag_field="fact", tag="company", gc=False):
    """The organisation a visitor of a business, education or government network sits in: a fact for marketers, evidence of nothing.

    organisation  who announces the network
    domain        registrable domain of the forward-confirmed reverse name, "" where there is none
    """

    organisation: str
    domain: str = ""
