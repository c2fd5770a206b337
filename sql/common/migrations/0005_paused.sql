-- Whether any instance is paused is asked with every claim (list_heads). MySQL's index workflow_instance_open tells it as well.
{only: postgres,sqlite {index: workflow_instance_paused ON qflow.workflow_instance (id) WHERE state = {instance.PAUSED} | (state, id)}}
{only: mysql SELECT 1}
;
