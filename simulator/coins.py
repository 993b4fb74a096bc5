"""Defines the coins of the simulated market."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import log

from simulator.noise import hash64, stream_of, uniform
from simulator.timestamps import DAY, HOUR

TOP = 100  # every rank up to this one belongs to a coin, and its row is complete

_SYLLABLES = "bacodifeguhajikalominaorpaqurosa"
_SUFFIXES = ("", "", "-2", "-token", "-network", "-finance", "-[old]", "-protocol")
_STALE_HOURS = (2, 7, 19, 23, 26, 40, 90, 458)


@dataclass(frozen=True, slots=True, eq=False)
class Coin:
    """The fixed properties of a coin. `base` is the logarithm of its usual price in USD.

    `wide_rank` is the rank that counts wrapped coins too.
    """

    id: str
    symbol: str
    name: str
    stream: int
    base: float
    volatility: float
    pegged: bool
    wrapped: bool
    cap: float
    supply: float
    volume: float
    lag: int
    new: bool
    listed: int
    rank: int | None = None
    wide_rank: int | None = None


def coins_of(seed: int, count: int) -> list[Coin]:
    """Returns the first `count` coins, by market cap; those without one come last.

    About a hundred are well known. The rest are invented, the unusual ones first.
    """
    found = [*_well_known(seed), *_unusual(seed)][:count]
    found += [_invented(seed, n) for n in range(count - len(found))]
    found.sort(key=lambda coin: -coin.cap)
    ranked = []
    rank = wide = 0
    for coin in found:
        if not coin.cap:
            ranked.append(coin)
            continue
        # Beyond the top some ranks belong to no coin.
        gap = int(rank > TOP and hash64(coin.stream, 1) % 17 == 0)
        wide += 1 + gap
        rank += 0 if coin.wrapped else 1 + gap
        ranked.append(replace(coin, rank=None if coin.wrapped else rank, wide_rank=wide))
    return ranked


def _listed(stream: int) -> int:
    return (16_100 + hash64(stream, 2) % 2_900) * DAY


def _well_known(seed: int) -> Iterable[Coin]:
    for place, line in enumerate(WELL_KNOWN.splitlines()):
        coin_id, symbol, name, price, cap, volume, flags = line.split("|")
        stream = stream_of(seed, coin_id)
        floating = 0.025 if place < 10 else 0.04
        yield Coin(
            id=coin_id, symbol=symbol, name=name, stream=stream, base=log(float(price)),
            volatility=0.0006 if flags == "s" else floating,
            pegged=flags == "s", wrapped=flags == "w",
            cap=float(cap) * 1e6, supply=float(cap) * 1e6 / float(price),
            volume=float(volume) * 1e6, lag=0, new=False,
            listed=15_823 * DAY if coin_id == "bitcoin" else _listed(stream),
        )  # fmt: skip


def _unusual(seed: int) -> Iterable[Coin]:
    for place, line in enumerate(UNUSUAL.splitlines()):
        coin_id, symbol, name, price, hours, flags = line.split("|")
        stream = stream_of(seed, coin_id)
        cap = 0.0 if "z" in flags else 3e8 - place * 7e6
        # A coin at 2e-10 has to stay near that price, so the cheapest coin moves little.
        yield Coin(
            id=coin_id, symbol=symbol, name=name, stream=stream, base=log(float(price)),
            volatility=0.005 if float(price) < 1e-9 else 0.06, pegged=False, wrapped=False,
            cap=cap, supply=cap / float(price), volume=0.0 if "v" in flags else 3e5,
            lag=int(hours) * HOUR, new="n" in flags, listed=_listed(stream),
        )  # fmt: skip


def _syllable(place: int) -> str:
    return _SYLLABLES[2 * place : 2 * place + 2]


def _invented(seed: int, place: int) -> Coin:
    """Returns the coin at this place after the unusual ones; its id depends on the place alone."""
    letters = hash64(0xC01, place)
    word = "".join(_syllable(letters >> shift & 15) for shift in (0, 4, 8))
    suffix = _SUFFIXES[letters >> 12 & 7]
    coin_id = f"{word}{place}{suffix}"
    stream = stream_of(seed, coin_id)
    price = 10 ** (2 - 9 * uniform(stream, 3) ** 1.5)
    cap = 2.4e8 * (100 / (100 + place)) ** 2.2
    kind = letters >> 16
    return Coin(
        id=coin_id, symbol=word[:4], name=f"{word.title()} {suffix.strip('-').title()}".strip(),
        stream=stream, base=log(price), volatility=0.04 + 0.06 * uniform(stream, 4), pegged=False,
        wrapped=False, cap=0.0 if kind % 19 == 0 else cap, supply=cap / price,
        volume=0.0 if kind % 23 == 0 else cap * 10 ** (-1 - 4 * uniform(stream, 5)),
        lag=_STALE_HOURS[kind >> 20 & 7] * HOUR if kind % 29 == 0 else 0,
        new=kind % 31 == 0, listed=_listed(stream),
    )  # fmt: skip


# id | symbol | name | price in USD | market cap in millions | day's volume in millions | flags
# (s: pegged to its price, w: wrapped or staked, so outside the default list).
# The figures are rounded guesses at the magnitude, not taken from any source.
WELL_KNOWN = """\
bitcoin|btc|Bitcoin|95000|1890000|42000|
ethereum|eth|Ethereum|3200|386000|24000|
tether|usdt|Tether|1|184000|78000|s
ripple|xrp|XRP|2.1|127000|4100|
binancecoin|bnb|BNB|880|121000|1900|
solana|sol|Solana|140|78000|5200|
usd-coin|usdc|USDC|1|75000|13000|s
tron|trx|TRON|0.28|26500|700|
dogecoin|doge|Dogecoin|0.15|23000|1700|
cardano|ada|Cardano|0.45|16000|800|
staked-ether|steth|Lido Staked Ether|3195|27000|30|w
wrapped-steth|wsteth|Wrapped stETH|3900|13000|20|w
wrapped-bitcoin|wbtc|Wrapped Bitcoin|94900|12000|260|w
weth|weth|WETH|3199|8000|700|w
hyperliquid|hype|Hyperliquid|36|12100|300|
bitcoin-cash|bch|Bitcoin Cash|540|10800|420|
chainlink|link|Chainlink|14|9800|540|
usds|usds|USDS|1|9600|110|s
leo-token|leo|LEO Token|9.4|8700|2|
ethena-usde|usde|Ethena USDe|1|8400|140|s
stellar|xlm|Stellar|0.25|8000|190|
monero|xmr|Monero|390|7200|140|
zcash|zec|Zcash|410|6700|900|
litecoin|ltc|Litecoin|84|6450|510|
sui|sui|Sui|1.6|5900|700|
avalanche-2|avax|Avalanche|13.5|5800|380|
hedera-hashgraph|hbar|Hedera|0.13|5600|170|
dai|dai|Dai|1|5300|150|s
shiba-inu|shib|Shiba Inu|0.0000085|5000|120|
whitebit|wbt|WhiteBIT Coin|54|4900|60|
the-open-network|ton|Toncoin|1.6|4100|100|
crypto-com-chain|cro|Cronos|0.105|3900|30|
paypal-usd|pyusd|PayPal USD|1|3800|120|s
polkadot|dot|Polkadot|2.3|3750|220|
uniswap|uni|Uniswap|5.8|3650|330|
mantle|mnt|Mantle|1.1|3580|140|
bittensor|tao|Bittensor|290|3050|170|
world-liberty-financial|wlfi|World Liberty Financial|0.12|3000|110|
usd1-wlfi|usd1|USD1|1|2800|600|s
near|near|NEAR Protocol|1.9|2450|260|
aave|aave|Aave|158|2420|320|
bitget-token|bgb|Bitget Token|3.4|2380|60|
okb|okb|OKB|108|2270|70|
falcon-finance|usdf|Falcon USD|1|2150|3|s
internet-computer|icp|Internet Computer|3.8|2080|160|
ethereum-classic|etc|Ethereum Classic|13.3|2060|80|
aster-2|aster|Aster|0.95|1980|400|
pepe|pepe|Pepe|0.0000045|1900|420|
tether-gold|xaut|Tether Gold|4100|1830|170|
pi-network|pi|Pi Network|0.21|1800|20|
ondo-finance|ondo|Ondo|0.5|1600|90|
worldcoin-wld|wld|Worldcoin|0.62|1580|130|
pax-gold|paxg|PAX Gold|4110|1500|160|
kucoin-shares|kcs|KuCoin|11.2|1470|10|
global-dollar|usdg|Global Dollar|1|1420|40|s
aptos|apt|Aptos|1.85|1390|130|
polygon-ecosystem-token|pol|POL (ex-MATIC)|0.13|1370|70|
ethena|ena|Ethena|0.17|1330|190|
ripple-usd|rlusd|Ripple USD|1|1280|90|s
kaspa|kas|Kaspa|0.046|1240|40|
algorand|algo|Algorand|0.135|1190|50|
arbitrum|arb|Arbitrum|0.205|1160|110|
gatechain-token|gt|Gate|9.9|1140|10|
cosmos|atom|Cosmos Hub|2.3|1100|80|
vechain|vet|VeChain|0.0125|1070|30|
flare-networks|flr|Flare|0.0135|1050|10|
filecoin|fil|Filecoin|1.4|1020|160|
xdce-crowd-sale|xdc|XDC Network|0.055|1000|30|
sky|sky|Sky|0.042|985|20|
jupiter-exchange-solana|jup|Jupiter|0.29|930|50|
render-token|render|Render|1.75|910|60|
sei-network|sei|Sei|0.135|880|70|
pump-fun|pump|Pump.fun|0.0024|855|140|
bonk|bonk|Bonk|0.0000098|830|150|
quant-network|qnt|Quant|56|820|20|
official-trump|trump|Official Trump|4|800|250|
nexo|nexo|NEXO|0.79|790|10|
dash|dash|Dash|62|775|190|
usdd|usdd|USDD|1|760|5|s
virtual-protocol|virtual|Virtuals Protocol|1.12|735|160|
fasttoken|ftn|Fasttoken|1.65|720|40|
immutable-x|imx|Immutable|0.86|700|30|
injective-protocol|inj|Injective|6.9|690|70|
story-2|ip|Story|2.1|680|70|
celestia|tia|Celestia|0.81|670|60|
pancakeswap-token|cake|PancakeSwap|1.95|660|50|
morpho|morpho|Morpho|1.24|650|20|
lido-dao|ldo|Lido DAO|0.72|640|60|
true-usd|tusd|TrueUSD|1|494|20|s
first-digital-usd|fdusd|First Digital USD|1|620|2500|s
curve-dao-token|crv|Curve DAO|0.43|610|70|
optimism|op|Optimism|0.31|600|80|
fetch-ai|fet|Artificial Superintelligence Alliance|0.25|590|70|
blockstack|stx|Stacks|0.31|560|20|
aerodrome-finance|aero|Aerodrome Finance|0.61|555|30|
spx6900|spx|SPX6900|0.58|545|30|
the-graph|grt|The Graph|0.051|540|20|
tezos|xtz|Tezos|0.5|530|20|
floki|floki|FLOKI|0.000047|450|50|
kaia|kaia|Kaia|0.072|440|10|
iota|iota|IOTA|0.1|435|10|
ethereum-name-service|ens|Ethereum Name Service|11.4|430|40|
starknet|strk|Starknet|0.12|560|120|
jasmycoin|jasmy|JasmyCoin|0.0084|415|20|
gala|gala|GALA|0.0082|385|50|
theta-token|theta|Theta Network|0.38|380|10|
the-sandbox|sand|The Sandbox|0.15|400|30|
decentraland|mana|Decentraland|0.16|310|20|
"""

# id | symbol | name | price in USD | hours behind | flags
# (z: market cap 0 and no rank, v: volume 0, n: too new for a highest and a lowest price).
UNUSUAL = """\
_|gap|( ._. )|0.00031|0|
2step token|2step|2step Token|0.044|0|
harbour-[old]|hbr|Harbour [OLD]|0.73|30|
-7|-7|Minus Seven|0.0012|0|n
lantern-2|🏮|🏮🦊|0.0061|0|
blank-symbol||Blank|0.19|0|
thin-space|thin|\u200b\u200bThin Space|0.034|0|
dust-of-dust|dod|Dust of Dust|0.0000000002|0|
vaulted-bar|bar|Vaulted Bar|88000|0|
still-water|still|Still Water|2.4|19|v
empty-vault|empty|Empty Vault|1.07|0|zv
lost-harbour|lost|Lost Harbour|0.0000031|458|z
first-light|first|First Light|0.0000871|0|n
"""
