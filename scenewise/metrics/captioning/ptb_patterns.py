"""What counts as one token of a caption: the patterns of the tokenizer, as a table.

Each was settled by putting strings, some millions in all, to Stanford's PTBTokenizer (the jar
inside pycocoevalcap) and looking at what comes out. Which kinds of token to ask about
(contractions, telephone numbers, faces, addresses) was known from its published grammar; where a
pattern accepts the same strings, it may look alike. It knows patterns and words alone; how they
compete, and how a token is written, is in ``ptb``.

The patterns read a *shadow* of the text, as long as the text, in which each letter outside ASCII
is ``é``, each mark that joins a word is ``ʰ``, each other hyphen is ``‐`` and each character that
the tokenizer drops is NUL. Two newlines follow the shadow.
"""

from __future__ import annotations

from dataclasses import dataclass

# abbreviations that keep their dot, whatever their case
_TITLES = (
    "adj|adm|adv|alex|asst|assoc|atty|ave|brig|capt|cf|cie|cmdr|col|comdr|cpl|dept|det|dr|"
    "drs|elec|ens|ft|gen|gov|govs|hon|insp|invt|jos|lieut|lt|maj|messrs|mlle|mme|mr|mrs|ms|"
    "msgr|mt|natl|pfc|ph|pres|prof|profs|pvt|rep|reps|rev|sen|sens|sfc|sgt|spc|st|ste|supt|"
    "supts|treas|vs|wm"
)
_TITLES_AS_WRITTEN = r"[mM]fg|[mM]tg|[pP]h\.[dD]"
# those that often end a sentence: they win against a longer word of up to two more characters
_ENDINGS = (
    "al|ala|apr|ariz|assn|aug|bhd|bldg|blvd|bros|calif|co|colo|conn|corp|cos|ct|dak|dec|"
    "esq|est|etc|ext|feb|fla|fri|ga|inc|ind|intl|jan|jr|jul|jun|kan|kans|ky|ltd|mar|md|"
    "mich|minn|mo|mon|mont|neb|nev|nov|oct|okla|penn|plc|ppte|ppty|pte|ptes|pty|ptys|rd|rt|"
    "sep|sept|seq|sq|sr|sys|tel|tenn|thu|thurs|tue|tues|univ|va|vt|wed|wis|wisc|wyo"
)
# states and the like that are words too: only with a capital
_CAPITALISED = "ark|az|del|ill|la|mass|miss|ore|pa|tex"
# only before a number: "no. 5" but "no."
_NUMBERED = "art|ca|fig|figs|no|nos|op|pp|prop"
# an initial before one of these, capitalised, ends a sentence
_OPENERS = (
    "a|about|according|additionally|after|an|as|at|but|earlier|he|her|here|however|if|in|"
    "it|last|many|more|now|once|one|other|our|she|since|so|some|such|that|the|their|then|"
    "there|these|they|this|we|what|when|while|yet|you"
)


def _any(words: str) -> str:
    return f"(?i:{words})"


def _capitalised(words: str) -> str:
    return "|".join(f"{word[0].upper()}(?i:{word[1:]})" for word in words.split("|"))


_LETTER = "[A-Za-zé]"
_START = "[A-Za-zéʰ]"
_MORE = "[A-Za-z0-9éʰ]"
_WORD = f"(?:{_START}{_MORE}*|[0-9]+{_LETTER}[A-Za-z0-9é]*|[0-9]+)"
_DOTTED = f"{_START}{_MORE}*(?:[.!?]{_START}{_MORE}*)+"
_APOSTROPHE = "(?:['’]|&apos;)"
_INNER_APOSTROPHE = "(?:['’‘`]|&apos;)"
_VERB = "(?:[sSmMdD]|[rR][eE]|[vV][eE]|[lL][lL])"  # what follows the apostrophe of "it's"
_NOT = "[nN](?:['’`]|&apos;)[tT]"
_NUMBER = "(?:[0-9]*(?:[.:,][0-9]+)+|[0-9]+)"
_ACRONYM = r"[A-Za-z](?:\.[A-Za-z])+"
_HOST = r"[a-z#%&*+~\u0080-\uffff]"  # no digit, capital or hyphen, as tried one by one
_NAMED = "[A-Za-z0-9]+(?:-[A-Za-z]+){0,2}"
_ADDRESS = r"[^ \n\"<>|(){}]"
_ADDRESS_END = r"[^ \n\"<>|(){}.!?,-]"
_PATH = f"(?:/{_ADDRESS}+{_ADDRESS_END})?"


@dataclass(frozen=True, slots=True)
class Pattern:
    """One kind of token. A first group is the token, and what follows it in the match is context.

    The longest match wins, its context counted; among equals, the first of the table.
    """

    regex: str
    spelling: str = "as is"  # or "apostrophe", "ampersand", "brackets": see ``ptb``


def patterns() -> tuple[Pattern, ...]:
    """The table, in its order."""
    return (*_markup(), *_contractions(), *_words(), *_numbers(), *_signs())


def _markup() -> list[Pattern]:
    attribute = r"[A-Za-z][A-Za-z0-9_:.-]*(?: *= *(?:'[^'\n]*'|\"[^\"\n]*\"))?"
    return [
        Pattern(
            f"<[A-Za-z][A-Za-z0-9:._@-]*(?: +{attribute})* */? *>|</[A-Za-z][A-Za-z0-9:._@-]* *>"
        ),
        Pattern(r"<[!?][A-Za-z-][^<>\n]*>"),
        Pattern(rf"https?://{_ADDRESS}+{_ADDRESS_END}|HTTPS?://{_ADDRESS}+{_ADDRESS_END}"),
        Pattern(
            r"(?:(?i:www)\.(?:[^ \n`\"<>|.!?(){},]+\.)+[A-Za-z]{2,4}"
            rf"|(?:{_HOST}+\.)+(?:com|net|org|edu)){_PATH}"
        ),
        Pattern(rf"<?[A-Za-z0-9]{_ADDRESS}*@(?:[^ \n\"<>|(){{}}.]+\.)*[^ \n\"<>|(){{}}.]+>?"),
        Pattern(r"@[A-Za-z_][A-Za-z_0-9]*"),
        Pattern(f"#{_START}+"),
        Pattern(r"&#[0-9]+;"),
    ]


def _contractions() -> list[Pattern]:
    """``it's`` is two tokens, ``don't`` is ``do n't``, ``'tis`` is ``'t is``; some stay whole."""
    verb_after = f"(?:{_APOSTROPHE}){_VERB}"
    return [
        Pattern(f"([A-Za-z]*?[A-MO-Za-mo-z]){_NOT}"),
        Pattern(f"({_WORD}){verb_after}"),
        Pattern(f"({_DOTTED}){verb_after}"),
        Pattern(_NOT, "apostrophe"),
        Pattern(rf"'{_VERB}(?![A-Za-z])|(?:’|&apos;){_VERB}", "apostrophe"),
        Pattern("(?i:('t)(?:is|was))"),
        Pattern(f"([yY]{_APOSTROPHE}){_LETTER}"),
        Pattern(f"[lLdDjJ]{_APOSTROPHE}"),
        Pattern(f"[dDoOlL]{_INNER_APOSTROPHE}[A-Za-z0-9é]{_MORE}+(?:-{_MORE}+)*"),
        Pattern(f"[oO]{_APOSTROPHE}[oO]"),
        Pattern(f"[A-HJ-XZn]{_INNER_APOSTROPHE}{_LETTER}{_LETTER}+"),
        Pattern(f"{_LETTER}+[aeiouyAEIOUY]{_INNER_APOSTROPHE}[aeiouA-Z]{_LETTER}*"),
        Pattern(f"(?i:somethin|dunkin|ol){_APOSTROPHE}|(?i:cap){_APOSTROPHE}(?i:n)"),
        Pattern(f"{_APOSTROPHE}(?i:em|till?|cause)|{_APOSTROPHE}[nN]{_APOSTROPHE}"),
        Pattern("('[nN])[ \n]|(?:’)[nN]"),
        Pattern(f"{_APOSTROPHE}[2-9]0[sS]"),
        Pattern(f"({_APOSTROPHE}[0-9]{{2}})[ \n]"),
        Pattern("(?i:cont'd\\.|nat'l|nor'easter|c'mon|e'er|s'mores|ev'ry|li'l)"),
    ]


def _words() -> list[Pattern]:
    titles = f"{_TITLES_AS_WRITTEN}|{_any(_TITLES)}"
    endings = f"{_any(_ENDINGS)}|{_capitalised(_CAPITALISED)}"
    underscored = "[A-Za-z0-9é]+(?:_[A-Za-z0-9é]+)*"
    head = f"(?:{underscored}|[A-Za-z0-9][A-Za-z0-9.,]*)"
    openers = f"(?:{_capitalised(_OPENERS)})"
    return [
        Pattern(_WORD),
        Pattern(rf"([A-Za-z])\. +{openers}[ \n]"),
        Pattern(rf"{_ACRONYM}\.?|[A-Za-z]\."),
        Pattern(_DOTTED),
        Pattern(rf"(?:{titles})\."),
        Pattern(rf"((?:{endings})\.)(?s:..)"),
        Pattern(rf"({_any(_NUMBERED)}\.) *[0-9]"),
        Pattern(r"([wW]ash\.)[ ]"),
        Pattern(rf"((?:{_DOTTED}|{_WORD})\.)[,;:]"),
        Pattern(rf"{head}(?:[-‐](?:[A-Za-z]\.(?:[A-Za-z]\.)+|{underscored}))+"),
        Pattern("[A-Za-z0-9é]+(?:_[A-Za-z0-9é]+)+"),
        Pattern(r"[A-Z]+(?:(?:&|&amp;|\+)[A-Z]+)+", "ampersand"),
        Pattern(rf"{_NAMED}(?:\\?/{_NAMED}){{1,2}}"),
        Pattern(r"[cC]\+\+|[cCfF]#"),
    ]


def _numbers() -> list[Pattern]:
    return [
        Pattern(f"[+-]?{_NUMBER}"),
        Pattern("[0-9]{1,2}[-/][0-9]{1,2}[-/][0-9]{2,4}"),
        Pattern(r"(?:[0-9]{1,4}[- ])?[0-9]{1,4}(?:\\?/|⁄)[0-9]{1,4}"),
        # telephone numbers
        Pattern(
            r"(?:\([0-9]{2,3}\) ?|(?:\+\+?)?(?:[0-9]{2,4}[- ])?[0-9]{2,4}[- ])"
            "[0-9]{3,4}[- ]?[0-9]{3,5}",
            "brackets",
        ),
        Pattern(r"(?:(?:\+\+?)?[0-9]{2,4}\.)?[0-9]{2,4}\.[0-9]{3,4}\.[0-9]{3,5}"),
        Pattern(r"[A-Z]+\$"),
    ]


def _signs() -> list[Pattern]:
    return [
        Pattern("[!?]+"),
        Pattern(r"\.{3,5}|(?:\. ){2,4}\."),
        Pattern(r"--+|(?:\\\*)+|\*+|_+|@+|#+|<<|>>"),
        Pattern("''|[`‘’“”«»‹›‛]{1,2}"),
        Pattern(r"([<>]?[:;=][-o*']?[()\[\]dDpPO\\{@|])[^A-Za-z0-9]", "brackets"),
        Pattern(
            r"[-^x=~<>']_[-^x=~<>']|\([-^x=~<>'][_.]?[-^x=~<>']\)"
            r"|\([\^x=~<>']-[\^x=~<>'`]\)",
            "brackets",
        ),
    ]
