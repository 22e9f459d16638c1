"""Words of Korean: numerals, counters, particles, and nouns that end as one does."""

from __future__ import annotations

from .phrases import either

NUMBERS = {
    "한": 1, "하나": 1, "두": 2, "둘": 2, "세": 3, "셋": 3, "석": 3, "네": 4, "넷": 4, "다섯": 5, "여섯": 6, "일곱": 7,
    "여덟": 8, "아홉": 9, "열": 10, "스물": 20, "스무": 20, "서른": 30, "마흔": 40, "쉰": 50, "백": 100,
}  # fmt: skip
TENS = ("열", "스물", "서른", "마흔", "쉰")
COUNTERS = dict.fromkeys(
    "마리 명 분 개 대 권 자루 송이 그루 척 장 잔 조각 벌 채 병 그릇 판 줄기 알 인 봉지 접시 점 기 필 두 구 "
    "포기 통 갑 모 곳 사람".split(), 1
) | {"켤레": 2, "쌍": 2, "다스": 12}  # fmt: skip
DETERMINERS = ("한", "두", "세", "네", "다섯", "여섯", "일곱", "여덟", "아홉", "열")
"""Numerals that may stand right before a noun, without a counter."""
NOUN_NUMERALS = ("하나", "둘", "셋", "넷", "다섯", "여섯", "일곱", "여덟", "아홉", "열")
"""Numerals that may stand right behind a noun, without a counter."""
UNITS = either("살 세 년 월 일 시 초 층 단 줄 번 종류 가지 미터 도 배 세기 주 회 cm mm m km 시간 잎 색 학년 번째 인치")
VAGUE = either("몇몇 수많은 많은")
BOUNDS = either("적어도 최소 최대 약 거의 최소한")
BOUNDS_BEHIND = either("이상 이하 정도 미만 쯤")
PARTICLES = either("이 가 은 는 을 를 와 과 도 로 으로 에 에서 에게 이랑 랑 하고 이나 들 들이 들은 들을 만")
DESCRIBING = ("는", "은", "운", "던", "된", "한", "른", "의", "적인", "같은", "입은", "담긴", "달린")
"""How words end that describe the next one."""
ADJECTIVES = frozenset(
    "새끼 아기 수컷 암컷 엄마 아빠 빨간 파란 노란 하얀 흰 검은 까만 큰 작은 예쁜 귀여운 젊은 늙은 어린 둥근 긴 짧은 "
    "높은 낮은 새 다른 같은 붉은 푸른 커다란 조그만 초록 분홍 보라 주황 회색 갈색 금색 은색 아름다운 못생긴 뚱뚱한 "
    "마른 오래된 낡은 멋진 화난 웃긴 쓴 탄 든 찬 핀 선".split()
)
NOUNS_LIKE_PARTICLES = frozenset(
    "고양이 호랑이 아이 어린이 원숭이 거북이 젊은이 늙은이 난쟁이 부엉이 올빼미 잠자리 개구리 토끼 강아지 병아리 "
    "송아지 나이 종이 오이 달팽이 지팡이 냄비 나비 의자 모자 상자 사자 기차 자동차 유리 구이 떡볶이 목걸이 귀걸이 "
    "팽이 구렁이 굼벵이 쟁이 돌고래 사과 국화 과자 다과 참외 아가 국가 화가 작가 음악가 무용가 요리사 소나무 은 금 "
    "도로 가로등 포도 파도 지도 석탑 아기 오리 메기 비둘기 애기 인형 새끼 판다 구두 도끼 조개 번개 무지개 날개 베개 "
    "아파트 고래 새우 거위 여우 악어 상어 연어 문어 붕어 잉어 새 개 귤 꽃 별 달 전나무 벚나무 버드나무 사나이 외톨이 "
    "어린아이 갓난아이 쌍둥이 흰둥이 검둥이 바둑이 누렁이 멍멍이 야옹이 꼬마아이 놈팽이 옹이 회오리 소용돌이 미나리 "
    "독수리 너구리 귀뚜라미 두더지 로봇 물고기 열대어 해바라기 튤립 코스모스 은행 은행나무 카메라 나무 우주인 수도 "
    "기도 온도 태도 화과 전과 약과 한과 정과 유과 결과 효과 커피 바나나 파인애플 종이배 종이학 종이비행기".split()
)
"""Nouns that end, or seem to end, as a particle does."""
