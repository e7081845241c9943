r"""Tell where the words around a marker take its verdict back: "not \boxed{A}", "\boxed{A}, but I cannot decide".

Only words that stand right before the marker, in its own sentence or in the answer's last one are looked at, and each
look is bounded, so that any answer is read in linear time. Where a hesitation is followed by "but", "however" or the
like, the judge did decide.
"""

from __future__ import annotations

import re

REACH = 240  # characters before and after a marker that are looked at
SENTENCE_END = re.compile(r"[.!?。！？]+(?=\s|$)|\n")


def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.VERBOSE | re.DOTALL)


DRESS = r"""[ \t*_$`~"'“‘(]*+"""  # Markdown, quotation marks and brackets right before a marker
DECIDED = r"(?!.*\b(?:but|however|yet|still|nevertheless|nonetheless|although|so|therefore|hence|thus)\b)"
START = r"(?:[.!?;:,(—–\n-]\s*|\b(?:or|but|and|though|although|actually|honestly)\s+)"  # of a clause

# the marker names what is not chosen: "not …", "better than …", "it does not contain an …"
REJECTED = _compile(
    rf"""(?:\b(?:no|not|cannot|never|nor|neither|without|unlike|against|than|over|beats?|outperforms?)|\wn['’]t
    |\b(?:instead|free)[ ]of|\bas[ ]opposed[ ]to|[,;][ ](?:otherwise|else)|\breject(?:s|ed|ing)?
    |(?:\bnot|\wn['’]t)[ ](?:think|believe|say|mean)(?:[ ]that)?[ ](?:it|this|the[ ]\w+)(?:[ ]is|['’]s))
    (?:[ ](?:be|been|choose|pick|select|say|answer|conclude|give|go|vote|contain|have|has|call|prefer|recommend|support
    |with|for|in|of|favou?r|a|an|the|any|my|final|verdict|winner|clearly|really|necessarily|simply|actually)){{0,5}}
    {DRESS}(?:\s*\\[(\[]\s*)?\Z"""
)

# said of the marker itself: "… if Assistant 2 is better", "… is not the winner"
TAKEN_BACK = _compile(
    r"""[ \t*_$`~"'”’)}]*+(?:\\[)\]]\s*)?(?:
    (?:if(?=[ ]\w)|otherwise)\b(?![ ](?:forced|pressed|anything|only|not|(?:I|we|one)[ ](?:must|have|had|need|am)))
    |for[ ](?:a[ ])?(?:tie|draw)\b
    |(?:is|was|would[ ]be)[ ](?:\w+ly[ ]|much[ ])?(?:worse|wrong|incorrect|inferior|the[ ]loser)\b
    |(?:is|was|would|can|could|should)(?:[ ]?not|n['’]t)[ ](?:be[ ])?(?:the|my|a|an)?[ ]?
        (?:correct|right|better|best|winner|verdict|answer|choice|option|present|justified|chosen|true)\b
    )"""
)

ABOUT_ALL = r"(?=\W*$|\W*[.!?]|[ ](?:which|who|between)\b)"  # not about something in the responses
CANNOT = r"""(?:cannot|can['’]?t|can[ ]not|could[ ]not|couldn['’]?t|unable[ ]to|not[ ]able[ ]to
    |(?:im|not[ ])possible[ ]to|hard[ ]to|difficult[ ]to)[ ](?:\w+[ ]){0,2}?
    (?:decide|determine|choose|tell|say|judge|pick|conclude|make[ ](?:a|the|my)[ ]\w+)\b"""

UNDECIDED = _compile(
    rf"""(?:
    \b(?:I|we)(?:['’]m|['’]re|[ ]am|[ ]are|[ ]was)?[ ](?:\w+[ ]){{0,2}}?{CANNOT}(?![ ](?:assistant|response|enough))
    |(?:\b(?:it|one)(?:['’]s|[ ]is|[ ]was)?[ ](?:\w+[ ]){{0,2}}?|{START}){CANNOT}{ABOUT_ALL}
    |\b(?:I|we)(?:['’]m|['’]re|[ ]am|[ ]are|[ ]remain)[ ](?:\w+[ ]){{0,2}}?
        (?:undecided|torn|(?:unsure|uncertain|not[ ](?:\w+[ ])?(?:sure|certain))
        (?=\W*$|\W*[.!?]|[ ](?:which|who|about[ ]my)))
    |{START}(?:undecided|unsure|uncertain|inconclusive|not[ ]sure)(?=\W*$|\W*[.!?]|[ ]which)
    |\bI[ ](?:do[ ]not|don['’]?t)[ ](?:really[ ])?(?:know|have[ ]an?y?[ ](?:preference|verdict|opinion))
        (?=\W*$|\W*[.!?]|[ ](?:which|who))
    |\b(?:I|we)[ ]abstain\b
    |\b(?:no|without[ ]a)[ ](?:clear[ ]|definite[ ]|real[ ]|obvious[ ])?(?:winner|preference|verdict|decision)\b
    |(?:^[^\w]*|{START})neither(?:[ ](?:one|of[ ]\w+(?:[ ]\w+)?))?(?=\W*$|\W*[.!?])
    |\bneither\b(?:(?!\bbut\b)[^.;,]){{0,60}}?\b(?:better|best|wins?|winner|superior|preferable|stands[ ]out|ahead)\b
    |(?:^|[.!?\n][ ]*)(?:(?:no|oh|hm+)[ ,]+)?(?:wait|hold[ ]on|scratch[ ]that|correction)\b(?=\W)
    |\bI[ ](?:retract|take[ ](?:it|that|this)[ ]back)\b|\bon[ ]second[ ]thoughts?\b
    ){DECIDED}"""
)

TIED = _compile(
    rf"""(?:
    \b(?:is|be|was|it|as|in|declare|call|seems|remains|say)(?:['’]s)?[ ](?:\w+ly[ ]|really[ ]|just[ ])?
        (?:an?[ ])(?:\w+[ ])?(?:tie|draw|toss-?up|dead[ ]heat|coin[ ](?:flip|toss))\b
        (?![-]?[ ]?break|[ ](?:on|in|for|as|regarding|when|until|if|at)\b)
    |\b(?:they|both|two|responses|answers|assistants)[ ](?:are[ ])?(?:tied?|equal|identical|indistinguishable)
        (?=\W*$|\W*[.!?])
    |{START}(?:it[ ]is[ ])?(?:an?[ ])?(?:tie|draw|tied|toss-?up|both|none)(?=\W*$|\W*[.!?])
    |\bequally[ ](?:good|bad|well|strong|weak|valid|matched)\b(?=\W*$|\W*[.!?])
    |\btoo[ ]close[ ]to[ ]call\b
    ){DECIDED}"""
)


def is_withdrawn(text: str, start: int, end: int, tied: bool = False) -> bool:
    """Tell whether an answer takes back the verdict in its last marker, `text[start:end]`.

    tied: the verdict is a tie, which words like "it's a tie" confirm.
    """
    if REJECTED.search(text[max(0, start - REACH) : start]) or TAKEN_BACK.match(text, end, end + REACH):
        return True
    return any(UNDECIDED.search(words) or (not tied and TIED.search(words)) for words in _list_closing_words(text, end))


def _list_closing_words(text: str, end: int) -> list[str]:
    """List what closes an answer after its last marker: all of it if it is short, else the first and last sentence."""
    after = text[end:].strip()
    if len(after) <= REACH:
        return [after]
    first, last = after[:REACH], after[-REACH:]
    if stop := SENTENCE_END.search(first):
        first = first[: stop.start()]
    stops = [stop.end() for stop in SENTENCE_END.finditer(last) if stop.end() < len(last)]
    return [first, last[stops[-1] :] if stops else last]
