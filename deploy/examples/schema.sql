-- SPDX-License-Identifier: Apache-2.0
CREATE TABLE readings (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    received    timestamptz NOT NULL DEFAULT now(),
    site        text NOT NULL,
    device      text NOT NULL,
    temperature numeric CHECK (temperature > -100),
    body        jsonb NOT NULL
);
