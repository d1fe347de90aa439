-- What channels on IRC have asked bots for (IRC-02).
CREATE TABLE irc_channel (
    bot     TEXT NOT NULL,
    channel TEXT NOT NULL,
    wishes  TEXT NOT NULL,
    PRIMARY KEY (bot, channel)
) STRICT, WITHOUT ROWID;
