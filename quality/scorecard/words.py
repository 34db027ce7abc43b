"""Chinese words of the scorecard."""

SEVERITIES = {"warn": "提醒", "skip": "跳过该行", "reject": "隔离该行", "stop": "整批停下"}
PARTIES = {"source": "提供部门", "platform": "平台"}
STATES = {"open": "待答复", "accepted": "成立，不计分", "rejected": "不成立"}
