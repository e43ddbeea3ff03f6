"""Texts of other kinds than the one that vocabularies are trained on, a few kilobytes of each.

They show where an English vocabulary hurts. All are the same on every machine, but for code, which
is Python's own library as it is installed.
"""

import inspect
import json
import random
import textwrap

GERMAN = """
Am frühen Morgen lag noch Nebel über dem Fluss, und die Fähre fuhr nur alle zwanzig Minuten. Wer
hinüber wollte, musste warten, fror ein wenig und trank Kaffee aus Pappbechern.
Die Geschwindigkeitsbegrenzung auf der Umgehungsstraße wurde nach langen Verhandlungen zwischen den
Anwohnern und der Stadtverwaltung auf siebzig Kilometer pro Stunde herabgesetzt.
Für die Prüfung der Wärmedämmung benötigen wir außerdem die Baupläne, den Energieausweis und eine
schriftliche Bestätigung der Hausverwaltung, dass der Dachboden zugänglich ist.
„Das habe ich nie behauptet“, sagte sie, „und ich würde es auch heute nicht behaupten, obwohl es
wahrscheinlich stimmt.“ Dann schloss sie das Fenster und setzte sich wieder an ihren Schreibtisch.
Übrigens wächst der Bärlauch am liebsten im Schatten, unter Buchen und Eschen; gepflückt wird er vor
der Blüte, denn danach schmecken die Blätter bitter.
Rechtsschutzversicherungsgesellschaften übernehmen die Kosten des Verfahrens nur dann, wenn
hinreichende Aussicht auf Erfolg besteht und die Wartezeit von drei Monaten abgelaufen ist.
"""

CHINESE = """
清晨的河面上还笼罩着薄雾,渡船每二十分钟才开一班。想过河的人只好在岸边等着,一边喝热茶,一边聊天。
经过居民和市政府的长时间讨论,环城公路的限速降到了每小时七十公里,附近的学校和医院都表示支持。
为了检查墙体的保温性能,我们还需要建筑图纸、能源证书,以及物业公司开具的书面证明。
“我从来没有这样说过,”她回答,“今天我也不会这样说,虽然这可能是真的。”说完,她关上窗户,又坐回书桌前。
人工智能模型把文字切成小块,每一块用一个编号表示;词表越适合这种语言,需要的编号就越少。
山里的春天来得很晚,四月底树上才长出新叶,农民们开始翻地、播种,孩子们放学后帮忙放羊。
"""

_SOURCES = (textwrap, json.decoder, random)


def all_kinds() -> dict[str, list[str]]:
    """Documents by kind of text."""
    return {
        "code": [inspect.getsource(module) for module in _SOURCES],
        "German": GERMAN.strip().split("\n"),
        "Chinese": CHINESE.strip().split("\n"),
        "numbers": _numbers(),
        "logs": _logs(),
    }


def _numbers() -> list[str]:
    """A table of comma-separated values."""
    draw = random.Random(0)
    rows = ["id,date,price,change,volume"]
    for id in range(200):
        date = f"20{draw.randrange(10, 27)}-{draw.randrange(1, 13):02}-{draw.randrange(1, 29):02}"
        price, change = draw.uniform(1, 900), draw.gauss(0, 2)
        rows.append(f"{id},{date},{price:.2f},{change:+.4f},{draw.randrange(10**7)}")
    return ["\n".join(rows)]


def _logs() -> list[str]:
    """Lines as servers write them."""
    draw = random.Random(1)
    lines = []
    for second in range(150):
        address = ".".join(str(draw.randrange(256)) for _ in range(4))
        request = draw.choice(["GET /api/v2/items/", "POST /login?next=/", "GET /static/app.js?v="])
        lines.append(
            f"2026-03-14T09:{second // 60:02}:{second % 60:02}.{draw.randrange(1000):03}Z "
            f"{draw.choice(['INFO', 'WARN', 'ERROR'])} [worker-{draw.randrange(16)}] {address} "
            f'"{request}{draw.getrandbits(48):x} HTTP/1.1" {draw.choice([200, 301, 404, 502])} '
            f"{draw.randrange(10**5)}us trace={draw.getrandbits(64):016x}"
        )
    return ["\n".join(lines)]
